// Elements out of values. Text stays text: nothing that came over the wire is ever read as HTML.

/** An element: `h("p.soft", { title: "…" }, "text", child)`. */
export function h(name, props = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== false && child !== null));
  return element;
}

const STATES = {
  none: ["Not connected", "quiet"],
  active: ["Connected", "good"],
  degraded: ["Connected, trouble under way", "warn"],
  expired: ["Reconnect needed", "bad"],
};

/** What is said of each reason; the code itself is shown beside it. */
const REASONS = {
  api_key_invalid: "The key has expired or was revoked.",
  token_revoked: "The customer took access back.",
  refresh_token_expired: "The refresh token has expired.",
  access_token_expired: "The access token has expired, and nothing can refresh it.",
  app_uninstalled: "The customer uninstalled the app at the provider.",
  oauth_app_deleted: "Your OAuth app was deleted at the provider.",
  oauth_client_secret_invalid: "The provider refuses your client secret.",
  rate_limited: "The provider asks to slow down.",
  provider_outage: "The provider has an outage.",
  network: "The provider cannot be reached.",
};

export function stateOf({ app, detail }) {
  if (!app?.connected) return "none";
  if (app.reauth_required) return "expired";
  return detail?.trouble ? "degraded" : "active";
}

/** One application's card. */
export function card(view, actions) {
  const { slug, title, text, app, detail, id, note, busy } = view;
  const state = stateOf(view);
  const [label, tone] = STATES[state];
  const reason = state === "expired" ? (detail?.reason ?? "") : (detail?.trouble?.reason ?? "");
  const button = (name, action, primary) => h(`button${primary ? ".primary" : ""}`,
    { "data-key": `${slug} ${action}`, onclick: () => actions[action](slug), disabled: busy }, name);
  return h("article.card", { "data-slug": slug, "data-state": state },
    h("div.row",
      {},
      h(`span.logo.${slug}`, { "aria-hidden": "true" }, title.split(" ")[1][0]),
      h("div.grow", {}, h("h2", {}, app?.name ?? title), h("p.soft", {}, text)),
      h(`span.badge.${tone}`, {}, label)),
    id && facts(view, { reason, tone }),
    h("div.row.wrap", {},
      state === "none" && button("Connect", "connect", true),
      state === "expired" && button("Reconnect", "connect", true),
      state !== "none" && button("Use it now", "use", state !== "expired"),
      state !== "none" && button("Disconnect", "disconnect")),
    note && h(`p.note.${note.tone}`, { role: "status" }, note.text),
    breakPanel(view, actions));
}

/** What the API says of the connection, in its own words. */
function facts(view, { reason, tone }) {
  const { app, detail, id } = view;
  const status = detail?.status ?? (app?.reauth_required ? "reauth_required" : "active");
  const line = (name, ...what) => [h("dt", {}, name), h("dd", {}, ...what)];
  return h("dl.facts", {},
    line("Connection", h("code", {}, id), view.sameId && h("span.same", {}, " ✓ same id as before")),
    identity(app) && line("Account", identity(app)),
    line("Status", h(`code.word.${tone}`, {}, status), detail?.since && h("span.soft", {}, ` since ${time(detail.since)}`)),
    reason && line("Reason", h(`code.word.${tone}.reason`, {}, reason), ` ${REASONS[reason] ?? ""}`));
}

function identity(app) {
  const known = app?.connected_accounts?.[0]?.identifier;
  if (!known || known === "NA") return undefined;
  return typeof known === "string" ? known : (known.name ?? known.email ?? JSON.stringify(known));
}

function breakPanel({ slug, causes, open }, actions) {
  const line = ({ cause, name, hint, repair }) => {
    const curl = `curl -X POST ${location.host}/demo/break/${slug}/${cause}`;
    const key = (what) => ({ "data-key": `${slug} ${cause} ${what}` });
    const copy = async ({ target }) => {
      await navigator.clipboard.writeText(curl);
      target.textContent = "Copied";
    };
    return h("li", {},
      h("div.row", {},
        h("button.danger", { ...key("break"), "data-cause": cause, onclick: () => actions.break(slug, cause) }, name),
        repair && h("button", { ...key("repair"), "data-repair": cause, onclick: () => actions.repair(slug, cause) }, "Mend"),
        hint && h("span.soft", {}, hint)),
      h("div.curl", {}, h("code", {}, curl), h("button.copy", { ...key("copy"), "aria-label": `Copy the curl line: ${name}`, onclick: copy }, "Copy")));
  };
  const toggle = (event) => actions.toggled(slug, event.target.open);
  return h("details.break", { open, ontoggle: toggle }, h("summary", { "data-key": `${slug} causes` }, "Break it"), h("ul", {}, causes.map(line)));
}

/** The list of webhooks, newest first. */
export function webhookList(list) {
  if (!list.length) return [h("li.empty", {}, "Nothing yet. Connect an application.")];
  return list.map(({ at, verified, body }) => {
    const event = body?.event ?? "not JSON";
    const tone = { "Connection Created": "good", "Connection Expired": "bad" }[event] ?? "quiet";
    return h("li", { "data-event": event }, h("div.row", {},
      h(`span.badge.${tone}`, {}, event), h("span.soft.grow.right", {}, time(at))),
    h("div.row", {}, h("code.grow", {}, body?.slug ?? "–"),
      h(`span.signed.${verified ? "yes" : "no"}`, {}, verified ? "✓ signature verified" : "✗ signature does not fit")));
  });
}

export function guideList(steps) {
  const next = steps.findIndex((step) => !step.done);
  return steps.map(({ text, hint, done }, at) =>
    h(`li${done ? ".done" : ""}${at === next ? ".next" : ""}`, at === next ? { "aria-current": "step" } : {},
      h("b", {}, text), h("span", {}, hint)));
}

export function time(iso) {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? String(iso) : at.toLocaleTimeString();
}
