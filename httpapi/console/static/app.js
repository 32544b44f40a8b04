// Improves what works without it: keys, copying, and uploads that show how far they
// are. Each part looks for what it improves, and does nothing where that is not.
import { keys } from "./keys.js";
import { uploads } from "./upload.js";
import { work } from "./work.js";

for (const e of document.querySelectorAll("[data-with-script]")) e.hidden = false;
for (const e of document.querySelectorAll("[data-copy]")) copyable(e);
keys();
uploads();
work();

// copyable puts a button behind an id.
function copyable(e) {
  if (!navigator.clipboard) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = e.dataset.copyLabel || "copy id";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(e.dataset.copy);
    button.textContent = "copied";
  });
  e.after(" ", button);
}
