"use strict";

// Signs in with DocuSign's SDK, by JWT and by code, and locks with what it gets. It
// is run with NODE_EXTRA_CA_CERTS, against a server with TLS.

const assert = require("node:assert/strict");
const docusign = require("docusign-esign");
const fs = require("node:fs");

const { HOST, CLIENT, SECRET, USER, ENVELOPE, CALLBACK, KEY, COOKIE_KEY } = process.env;

// lock takes and releases a lock, as the account says where.
async function lock(client, token, user) {
    const info = await client.getUserInfo(token);
    assert.equal(info.sub, user);
    const account = info.accounts.find((a) => a.isDefault === "true" || a.isDefault === true);
    assert.equal(account.baseUri, `https://${HOST}`);
    const api = new docusign.ApiClient();
    api.setBasePath(account.baseUri + "/restapi");
    api.addDefaultHeader("Authorization", "Bearer " + token);
    const envelopes = new docusign.EnvelopesApi(api);
    const taken = await envelopes.createLock(account.accountId, ENVELOPE, { lockRequest: { lockDurationInSeconds: "600", lockedByApp: "Contract editor" } });
    assert.ok(taken.lockToken);
    api.addDefaultHeader("X-DocuSign-Edit", JSON.stringify({ LockToken: taken.lockToken }));
    await envelopes.update(account.accountId, ENVELOPE, { envelope: { emailSubject: "Changed after signing in" } });
    await envelopes.deleteLock(account.accountId, ENVELOPE);
}

function connect() {
    const client = new docusign.ApiClient();
    client.setOAuthBasePath(HOST);
    return client;
}

// consent is what a person does in a browser, and returns where she is led.
async function consent(uri) {
    let cookie = "";
    const step = async (url, form) => {
        const answer = await fetch(url, {
            method: form ? "POST" : "GET", redirect: "manual", body: form && new URLSearchParams(form),
            headers: { cookie, ...(form && { origin: `https://${HOST}` }) },
        });
        const set = answer.headers.get("set-cookie");
        if (set) {
            assert.match(set, /; Secure/);
            cookie = set.split(";")[0];
        }
        const to = answer.headers.get("location");
        if (to && to.startsWith(CALLBACK)) {
            return { to };
        }
        return to ? step(new URL(to, url)) : { url, html: await answer.text() };
    };
    const fields = (html) => Object.fromEntries([...html.matchAll(/<input[^>]* name="([a-z]+)" value="([^"]*)"/g)]
        .map(([, name, value]) => [name, value.replaceAll("&amp;", "&").replaceAll("&#43;", "+").replaceAll("&#34;", '"')]));
    let page = await step(uri);
    page = await step(`https://${HOST}/console/sign-in`, { ...fields(page.html), key: COOKIE_KEY });
    page = await step(page.url, { ...fields(page.html), consent: "yes" });
    return new URL(page.to);
}

async function main() {
    const key = fs.readFileSync(KEY);
    const jwt = connect();
    const scopes = ["signature", "impersonation"];
    // Two processes of one SDK in the same second sign the same assertion.
    const [first, second] = await Promise.all([1, 2].map(() => connect().requestJWTUserToken(CLIENT, USER, scopes, key, 3600)));
    assert.notEqual(first.body.access_token, second.body.access_token);
    await lock(jwt, first.body.access_token, USER);
    await lock(jwt, second.body.access_token, USER);
    // The token of before rides along with the question for the next.
    jwt.addDefaultHeader("Authorization", "Bearer " + first.body.access_token);
    const next = await jwt.requestJWTUserToken(CLIENT, USER, scopes, key, 600);
    assert.equal(next.body.token_type, "Bearer");
    await assert.rejects(connect().requestJWTUserToken(CLIENT, "00000000-0000-0000-0000-000000000000", scopes, key, 600), (err) => {
        assert.equal(err.response.status, 400);
        assert.equal(err.response.data.error, "invalid_grant");
        return true;
    });

    const app = connect();
    const back = await consent(app.getAuthorizationUri(CLIENT, ["signature", "extended"], CALLBACK, "code", "a state"));
    assert.equal(back.searchParams.get("state"), "a state");
    const token = await app.generateAccessToken(CLIENT, SECRET, back.searchParams.get("code"));
    assert.ok(token.refreshToken);
    await lock(app, token.accessToken, USER);
    await assert.rejects(app.generateAccessToken(CLIENT, SECRET, back.searchParams.get("code")), (err) => err.response.data.error === "invalid_grant");
}

main().catch((err) => {
    console.error(err.response ? `${err.response.status} ${JSON.stringify(err.response.data)}\n${err.stack}` : err);
    process.exitCode = 1;
});
