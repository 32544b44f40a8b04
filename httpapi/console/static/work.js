// Shows how far a change of many documents is, without anybody asking: that is no
// activity, so that a page left open does not keep a session open.
export function work() {
  const box = document.querySelector("[data-work]");
  if (!box) return;
  const put = (name, value) => { const e = box.querySelector(`[data-${name}]`); if (e) e.textContent = value.toLocaleString("en"); };
  const look = async () => {
    let is;
    try {
      const answer = await fetch(location.pathname, { headers: { Accept: "application/json", "X-Polling": "1" }, redirect: "error" });
      is = await answer.json();
    } catch { return; } // the session has ended, or the server is away: the link asks again
    if (is.state !== box.dataset.work) { location.reload(); return; }
    put("done", is.done);
    put("total", is.total);
    put("failed", is.failed);
    const bar = box.querySelector("progress");
    bar.max = is.total || 1;
    bar.value = is.done;
    setTimeout(look, 1500);
  };
  setTimeout(look, 1500);
}
