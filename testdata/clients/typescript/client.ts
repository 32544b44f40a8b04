// Uses the types that openapi-typescript made from openapi.json: it uploads,
// patches, lists, searches and holds.
import createClient from "openapi-fetch";
import type { components, paths } from "./api";

declare const process: { env: Record<string, string | undefined> };

const client = createClient<paths>({
  baseUrl: process.env.STRONGROOM_URL,
  headers: { Authorization: `Bearer ${process.env.STRONGROOM_KEY}` },
});

function must<T>(what: string, data: T | undefined, error: unknown): T {
  if (data === undefined) throw new Error(`${what}: ${JSON.stringify(error)}`);
  return data;
}

const made = await client.POST("/v1/documents", {
  body: { name: "Lease South.txt", category: "contract", tags: ["lease", "south"], fileName: "lease.txt", content: btoa("The lease of the south building.") },
});
const doc: components["schemas"]["Document"] = must("upload", made.data, made.error);

const patched = await client.PATCH("/v1/documents/{id}", {
  params: { path: { id: doc.id }, header: { "If-Match": made.response.headers.get("ETag") ?? "" } },
  body: { addTags: ["signed"], customFields: { renewalDate: "2027-03-31" } },
});
if (must("patch", patched.data, patched.error).tags.length !== 3) throw new Error("patch: tags");

const listed = await client.GET("/v1/documents", { params: { query: { tag: ["south", "signed"] } } });
if (must("list", listed.data, listed.error).items[0]?.id !== doc.id) throw new Error("list");

const found = await client.GET("/v1/search", { params: { query: { q: "south building" } } });
if (must("search", found.data, found.error).total !== 1) throw new Error("search");

const held = await client.POST("/v1/documents/{id}/holds", { params: { path: { id: doc.id } }, body: { reason: "Litigation" } });
if (must("hold", held.data, held.error).status !== "active") throw new Error("hold");

const tagged = await client.POST("/v1/bulk/documents", { body: { filter: { tag: ["south", "signed"] }, addTags: ["bulk"] } });
if ((must("bulk", tagged.data, tagged.error) as components["schemas"]["BulkAnswer"]).changed !== 1) throw new Error("bulk");

const gone = await client.DELETE("/v1/documents/{id}", { params: { path: { id: doc.id } }, body: {} });
if (gone.error?.errorCode !== "DOCUMENT_ON_LEGAL_HOLD") throw new Error(`delete: ${JSON.stringify(gone)}`);
