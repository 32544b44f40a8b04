// Keys: "/" goes to the search, "j" and "k" through a list, Enter opens, "?" says
// which there are. Who does not want them turns them off there.
const off = "strongroom-keys-off";

const words = [["/", "go to the search"], ["j", "next in the list"], ["k", "the one before"], ["Enter", "open it"], ["?", "these keys"]];

export function keys() {
  let at = -1;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
    if (event.key === "?") { event.preventDefault(); explain(); return; }
    if (localStorage.getItem(off)) return;
    const rows = [...document.querySelectorAll("[data-keys=list] a.name")];
    if (event.key === "/") {
      const search = document.getElementById("search");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    } else if ((event.key === "j" || event.key === "k") && rows.length > 0) {
      at = Math.min(rows.length - 1, Math.max(0, at + (event.key === "j" ? 1 : -1)));
      rows[at].focus();
    }
  });
}

function explain() {
  const dialog = document.createElement("dialog");
  const title = document.createElement("h2");
  title.textContent = "Keys";
  dialog.setAttribute("aria-label", "Keys");
  const list = document.createElement("dl");
  for (const [key, does] of words) {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = key;
    dd.textContent = does;
    list.append(dt, dd);
  }
  const label = document.createElement("label"), box = document.createElement("input");
  label.className = "row";
  box.type = "checkbox";
  box.checked = !localStorage.getItem(off);
  box.addEventListener("change", () => box.checked ? localStorage.removeItem(off) : localStorage.setItem(off, "1"));
  label.append(box, "Keys are on");
  const close = document.createElement("button");
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  dialog.append(title, list, label, close);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
