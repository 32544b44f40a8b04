// Uploads one file after the other, each with its progress. A file that fails does
// not stop the others, and can be tried again; a lost connection pauses all.
export function uploads() {
  const form = document.querySelector("[data-upload]");
  if (!form) return;
  const drop = form.querySelector("[data-drop]"), list = form.querySelector("[data-files]"), input = form.querySelector("input[type=file]");
  const waiting = [];
  let busy = false, paused = false, count = 0;

  const add = (files) => { for (const file of files) waiting.push(row(file)); input.required = waiting.length === 0; };
  input.addEventListener("change", () => { add(input.files); input.value = ""; });
  drop.addEventListener("dragover", (e) => { e.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (e) => { e.preventDefault(); drop.classList.remove("over"); add(e.dataTransfer.files); });
  form.addEventListener("submit", (e) => { e.preventDefault(); paused = false; next(); });

  function row(file) {
    const item = document.createElement("li"), name = document.createElement("span"), bar = document.createElement("progress"), state = document.createElement("small");
    name.className = "name";
    name.textContent = file.name;
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", file.name);
    state.textContent = "waits";
    item.append(name, bar, state);
    list.append(item);
    return { file, item, bar, state, done: false, number: ++count };
  }

  function next() {
    const one = waiting.find((w) => !w.done && !w.failed);
    if (busy || paused || !one) return;
    busy = true;
    const data = new FormData(form);
    data.delete("file");
    data.append("file", one.file);
    const request = new XMLHttpRequest();
    request.open("POST", form.action + "-" + one.number); // sent again after a lost connection, it makes one
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (e) => { if (e.lengthComputable) one.bar.value = e.loaded / e.total; });
    one.state.textContent = "is sent";
    request.addEventListener("load", () => finish(one, request));
    request.addEventListener("error", () => { paused = true; fail(one, "The connection was lost."); });
    request.send(data);
  }

  function finish(one, request) {
    let answer = null;
    const made = request.responseURL.match(/\/documents\/([^/?]+)$/); // it had arrived before
    try { answer = made ? { ID: made[1] } : JSON.parse(request.responseText); } catch { /* a page: the session has ended, or the server is too busy */ }
    if (request.status !== 200 || !answer || !answer.ID) {
      fail(one, answer && answer.Wrong ? `${answer.Wrong}. ${(answer.Fields || []).map((f) => `${f.Field} ${f.Message}`).join("; ") || answer.Next}` : "It was not kept.");
      return;
    }
    one.done = true;
    one.bar.value = 1;
    const link = document.createElement("a");
    link.href = form.action.replace(/upload\?.*$/, "documents/") + answer.ID;
    link.textContent = "kept";
    one.state.replaceChildren(link);
    busy = false;
    next();
  }

  function fail(one, why) {
    one.failed = true;
    busy = false;
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = "Try again";
    again.addEventListener("click", () => { one.failed = false; paused = false; one.bar.value = 0; one.state.textContent = "waits"; next(); });
    one.state.replaceChildren(why + " ", again);
    next();
  }
}
