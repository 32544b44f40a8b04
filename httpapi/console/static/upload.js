// Uploads one file after the other, each with its progress. A file that fails does
// not stop the others, and can be tried again; a lost connection, or a session that
// has ended, pauses all. What is about one file alone is written below it.
export function uploads() {
  const form = document.querySelector("[data-upload]");
  if (!form) return;
  const drop = form.querySelector("[data-drop]"), list = form.querySelector("[data-files]"), input = form.querySelector("input[type=file]");
  const said = form.querySelector("[data-said]"), owns = form.querySelector("[data-owns]"), own = owns.querySelector("[data-own]");
  const waiting = [];
  let busy = false, paused = false, count = 0;

  owns.remove();
  own.querySelector("[data-own-file]").remove();
  input.required = true;
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
    const one = { file, item, bar, state, done: false, number: ++count };
    one.more = fields(one);
    item.append(name, bar, state, one.more);
    list.append(item);
    waits(one);
    return one;
  }

  function waits(one) {
    one.bar.value = 0;
    one.state.replaceChildren("waits ", button("Leave it out", one.file.name, () => {
      waiting.splice(waiting.indexOf(one), 1);
      one.item.remove();
      input.required = waiting.length === 0;
      input.focus();
    }));
  }

  // fields are those of one file, made when they are first asked for.
  function fields(one) {
    const details = document.createElement("details"), summary = document.createElement("summary");
    summary.className = "small";
    summary.textContent = "Fields of its own…";
    summary.setAttribute("aria-label", "Fields of its own: " + one.file.name);
    details.append(summary);
    details.addEventListener("toggle", () => {
      if (details.querySelector("[data-own]")) return;
      const mine = own.cloneNode(true);
      for (const field of mine.querySelectorAll("[name]")) field.name = field.name.replace(/^\d+/, one.number);
      details.append(mine);
    });
    return details;
  }

  function button(words, about, does) {
    const b = document.createElement("button"), heard = document.createElement("span");
    b.type = "button";
    b.className = "plain";
    heard.className = "heard";
    heard.textContent = " " + about;
    b.append(words, heard);
    b.addEventListener("click", does);
    return b;
  }

  // content is the form for one file: the fields for all, and its own.
  function content(one) {
    const all = new FormData(form), data = new FormData();
    for (const [name, value] of all) {
      const number = /^(\d+)\./.exec(name);
      if (name !== "file" && (!number || number[1] === String(one.number))) data.append(name, value);
    }
    data.append("file." + one.number, one.file);
    return data;
  }

  function next() {
    const one = waiting.find((w) => !w.done && !w.failed);
    if (busy || paused) return;
    if (!one) {
      const failed = waiting.filter((w) => w.failed).length;
      if (waiting.length > 0) said.textContent = failed > 0 ? `Not all were kept: ${failed} of ${waiting.length} wait for another try.` : "All are kept.";
      return;
    }
    busy = true;
    const request = new XMLHttpRequest();
    request.open("POST", form.action + "-" + one.number); // sent again after a lost connection, it makes one
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (e) => { if (e.lengthComputable) one.bar.value = e.loaded / e.total; });
    one.state.textContent = "is sent";
    request.addEventListener("load", () => finish(one, request));
    request.addEventListener("error", () => { paused = true; fail(one, "The connection was lost, and all that are left wait."); });
    request.send(content(one));
  }

  function finish(one, request) {
    let answer = null;
    const made = request.responseURL.match(/\/documents\/([^/?]+)$/); // it had arrived before
    try { answer = made ? { ID: made[1] } : JSON.parse(request.responseText); } catch { /* a page: the session has ended, or the server is too busy */ }
    if (/\/sign-in\?/.test(request.responseURL)) {
      paused = true;
      fail(one, "Your session has ended. Sign in again in another tab, then go on here; all that are left wait.");
      return;
    }
    if (request.status !== 200 || !answer || !answer.ID) {
      fail(one, answer && answer.Wrong ? `${answer.Wrong}. ${(answer.Fields || []).map((f) => `${f.Field} ${f.Message}`).join("; ") || answer.Next}` : "It was not kept.");
      return;
    }
    one.done = true;
    one.bar.value = 1;
    one.more.remove();
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
    said.textContent = one.file.name + ": " + why;
    one.state.replaceChildren(why + " ", button("Try again", one.file.name, () => {
      one.failed = paused = false;
      waits(one);
      next();
    }));
    next();
  }
}
