// What makes the pages smoother. Each works without: forms are sent, filters are asked of the server, a provider opens in
// the same window, or from inside a frame by a link.
{
  document.documentElement.classList.add("js");
  const POLL_MS = 1500;
  /** Where the server is, behind a proxy that puts it under a path of its own. */
  const base = document.documentElement.dataset.base ?? "";
  /** How long a window that was closed may still be followed by news: the callback may be on its way. */
  const GRACE = 2;

  // A frame is opened with the session's token in the fragment, for the case that its cookie is blocked. It is taken away
  // before anything else can look.
  const token = /^#(st_[\w-]{20,})$/.exec(location.hash)?.[1];
  if (token) history.replaceState(null, "", location.pathname);

  /** Tells the product that shows this page, and nobody else. */
  const tell = (slug, status) => {
    if (window.parent === window) return;
    for (const origin of (document.body.dataset.framed ?? "").split(" ").filter(Boolean)) {
      window.parent.postMessage({ type: "evergrant:status", slug, status }, origin);
    }
  };

  const filter = (form) => {
    const none = document.querySelector("[data-none]");
    const cards = [...document.querySelectorAll(".cards > .card")];
    const shown = document.querySelector("[data-shown]");
    const apply = () => {
      const word = form.elements.q.value.trim().toLowerCase();
      const category = form.elements.category.value;
      let left = 0;
      for (const card of cards) {
        const keep = card.dataset.name.toLowerCase().includes(word)
          && (!category || card.dataset.tags.split("|").includes(category));
        card.hidden = !keep;
        left += keep ? 1 : 0;
      }
      none.hidden = left > 0;
      shown.textContent = shown.dataset.shown.replace("{count}", String(left));
    };
    // What the server has filtered already, only the server can bring back.
    if (location.search.includes("q=") || location.search.includes("category=")) {
      form.elements.category.addEventListener("change", () => form.requestSubmit());
      return;
    }
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => { event.preventDefault(); apply(); });
    apply();
  };

  /** Shows that a form is on its way, and forgets it when the page is shown again from the cache. */
  const busy = (button, is) => {
    if (!button?.dataset.busy) return;
    button.toggleAttribute("aria-busy", is);
    if (is) button.setAttribute("aria-busy", "true");
    button.classList.toggle("busy", is);
    const said = button.querySelector(".saying");
    if (is && !said) button.insertAdjacentHTML("beforeend", '<span class="unseen saying" role="status"></span>');
    const place = button.querySelector(".saying");
    if (place) place.textContent = is ? button.dataset.busy : "";
  };

  const markOf = async (slug) => {
    const answer = await fetch(`${base}/connect/${slug}/state`, { headers: { accept: "application/json" } });
    return answer.ok ? answer.json() : undefined;
  };

  /** From inside a frame: the provider in a window of its own, followed from here. */
  const away = async (form, button) => {
    const slug = form.dataset.away;
    const popup = window.open("", "", "popup,width=560,height=720");
    if (!popup) return form.submit();
    busy(button, true);
    try {
      const before = await markOf(slug);
      // Not `form.action`: a field of that name hides it.
      const answer = await fetch(form.getAttribute("action"), {
        method: "POST", headers: { accept: "application/json" }, body: new URLSearchParams(new FormData(form)),
      });
      const type = answer.headers.get("content-type") ?? "";
      if (!answer.ok || !type.startsWith("application/json")) throw new Error("the page says more");
      popup.opener = null;
      popup.location.replace((await answer.json()).url);
      follow(slug, popup, { before, button });
    } catch {
      popup.close();
      form.submit();
    }
  };

  const follow = (slug, popup, { before, button, left = GRACE }) => {
    setTimeout(async () => {
      const now = await markOf(slug).catch(() => undefined);
      if (now && now.mark !== before?.mark) {
        tell(slug, now.state);
        location.assign(`${base}/connect/${slug}?done=connected`);
      } else if (popup.closed && left === 0) {
        busy(button, false);
        const closed = document.querySelector("[data-closed]");
        if (closed) closed.hidden = false;
        tell(slug, now?.state ?? "unknown");
      } else {
        follow(slug, popup, { before, button, left: popup.closed ? left - 1 : left });
      }
    }, POLL_MS);
  };

  addEventListener("DOMContentLoaded", () => {
    const reopen = document.querySelector("[data-reopen]");
    if (reopen && token) {
      reopen.querySelector("a").href = `${base}/connect/${token}`;
      reopen.hidden = false;
    }
    const form = document.querySelector("[data-filter]");
    if (form) filter(form);
    const notice = document.querySelector(".notice.good");
    const title = document.querySelector(".title");
    if (notice && title) tell(location.pathname.split("/").pop(), title.classList[1]);
    const framed = "framed" in document.body.dataset;
    for (const one of document.querySelectorAll("form[method=post]")) {
      one.addEventListener("submit", (event) => {
        const button = event.submitter;
        if (button?.getAttribute("aria-busy") === "true") return event.preventDefault();
        if (framed && one.dataset.away) {
          event.preventDefault();
          return away(one, button);
        }
        busy(button, true);
      });
    }
    document.querySelector("[aria-invalid=true]")?.focus();
  });
  addEventListener("pageshow", () => { for (const one of document.querySelectorAll(".busy")) busy(one, false); });
}
