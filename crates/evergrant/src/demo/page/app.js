// The page's story: look, act, look again. What is shown is what Evergrant says, never what a button assumes.

import { Evergrant } from "./evergrant.js";
import { card, guideList, h, stateOf, webhookList } from "./view.js";

const LOOK_MS = 1500;
const $ = (id) => document.getElementById(id);

const views = [
  {
    slug: "sandbox-oauth",
    title: "Sandbox CRM",
    text: "Contacts, through OAuth 2.0 with consent in a window.",
    causes: [
      { cause: "token_revoked", name: "Customer takes access back" },
      { cause: "refresh_token_expired", name: "Refresh token expires" },
      { cause: "app_uninstalled", name: "Customer uninstalls the app" },
      { cause: "client_deleted", name: "Your OAuth app is deleted", hint: "mend it, and the connection heals by itself", repair: true },
      { cause: "access_token_expired", name: "Access token expires", hint: "merely refreshed, unless connected without “Keep access”" },
      { cause: "client_secret_changed", name: "Your client secret changes", hint: "shows at the next refresh; yours to mend, so no customer is bothered", repair: true },
    ],
  },
  {
    slug: "sandbox-key",
    title: "Sandbox SMS",
    text: "Text messages, through an API key.",
    causes: [
      { cause: "key_expired", name: "API key expires" },
      { cause: "app_uninstalled", name: "Customer uninstalls the app" },
    ],
  },
];

const WEATHER = [
  ["Fair", {}],
  ["Down", { down: true }],
  ["Throttling", { throttle: true }],
  ["Slow", { slow_ms: 4000 }],
  ["Garbage", { garbage: true }],
  ["Lose next reply", { lose_replies: 1 }],
];

const seen = { used: false, broken: false, flagged: false, repaired: false };
let evergrant;
let weather = {};

async function ours(path, body) {
  const reply = await fetch(path, body && { method: "POST", body: JSON.stringify(body) });
  const json = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error(json?.message ?? `${path} answered ${reply.status}`);
  return json ?? {};
}

const viewOf = (slug) => views.find((view) => view.slug === slug);

function say(view, tone, text) {
  view.note = { tone, text };
}

/** Runs an action with the card's buttons off, says what went wrong, and looks again. */
async function during(slug, work) {
  const view = viewOf(slug);
  view.busy = true;
  view.note = undefined;
  draw();
  try {
    await work(view);
  } catch (error) {
    say(view, "bad", error.message);
  }
  view.busy = false;
  view.acted = true;
  await look();
}

/** What a check's answer means to the team. */
function outcome({ outcome: did, connection }) {
  if (connection?.status === "reauth_required") {
    return { tone: "bad", text: "It no longer works. Evergrant has flagged the connection and sent you a webhook; reconnect to repair it." };
  }
  const { verdict, reason } = connection?.trouble ?? {};
  if (verdict === "app_broken") return { tone: "warn", text: `Your own OAuth client is broken (${reason}): for your team to mend.` };
  if (verdict) return { tone: "warn", text: `Passing trouble (${reason ?? verdict}): Evergrant tries again by itself, nobody is alarmed.` };
  return { tone: "good", text: did === "renewed" ? "It works; the tokens were refreshed." : "It works." };
}

const actions = {
  connect: (slug) => during(slug, async (view) => {
    if (slug === "sandbox-key") return enterKey(view);
    say(view, "quiet", "Waiting for consent in the other window…");
    draw();
    const connected = await evergrant.connect(slug);
    say(view, connected ? "good" : "quiet", connected ? "Connected." : "The window was closed; nothing has changed.");
  }),
  use: (slug) => during(slug, async (view) => {
    const found = await ours(`demo/connection/${view.id}/check`, {});
    const { tone, text } = outcome(found);
    if (tone === "good") seen.used = true;
    say(view, tone, text);
  }),
  disconnect: (slug) => during(slug, async (view) => {
    await evergrant.disconnect(slug);
    view.lastId = undefined;
    say(view, "quiet", "Disconnected; the credential is erased.");
  }),
  break: (slug, cause) => during(slug, async (view) => {
    const { broken } = await ours(`demo/break/${slug}/${cause}`, {});
    const count = broken.clients + broken.grants + broken.keys;
    say(view, count ? "quiet" : "warn", count
      ? "Broken at the provider. Nobody has told Evergrant: press “Use it now”."
      : "There was nothing alive to break. Connect first.");
  }),
  repair: (slug, cause) => during(slug, async (view) => {
    await ours(`demo/repair/${slug}/${cause}`, {});
    say(view, "quiet", "Mended at the provider. Press “Use it now”.");
  }),
  toggled: (slug, open) => { viewOf(slug).open = open; },
};

/** Asks for the key in a dialog; resolves when it is saved or given up. */
async function enterKey(view) {
  const { key } = await ours("demo/key", {});
  const wanted = view.app?.auth_input_map?.length ? view.app.auth_input_map : [{ name: "api_key", label: "API key", required: true }];
  const secret = wanted.find((field) => field.type === "password" || /key|token/.test(field.name)) ?? wanted[0];
  $("fields").replaceChildren(...wanted.map((field) => h("label", {},
    h("span", {}, field.label ?? field.name, field.required !== true && h("span.soft", {}, " (optional)")),
    h("input", {
      name: field.name, required: field.required === true, placeholder: field.placeholder, autocomplete: "off",
      spellcheck: "false", value: field === secret ? key : "",
    }))));
  const dialog = $("keyform");
  const form = dialog.querySelector("form");
  $("keyerror").hidden = true;
  for (;;) {
    dialog.showModal();
    await new Promise((closed) => dialog.addEventListener("close", closed, { once: true }));
    const choice = dialog.returnValue;
    dialog.returnValue = "";
    if (choice !== "save") return say(view, "quiet", "Nothing has changed.");
    const values = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
    try {
      await evergrant.saveKey(view.slug, values);
      return say(view, "good", "Connected.");
    } catch (error) {
      $("keyerror").textContent = error.message;
      $("keyerror").hidden = false;
    }
  }
}

async function lookAt(view) {
  view.app = await evergrant.getApp(view.slug);
  const account = view.app.connected_accounts?.[0];
  view.id = account?.connection_id ?? account?.id ?? account?._id;
  view.detail = view.id ? await ours(`demo/connection/${view.id}`).catch(() => undefined) : undefined;
  const state = stateOf(view);
  if (view.state !== state && !view.acted) view.note = undefined; // it speaks of a state that is over
  Object.assign(view, { state, acted: false });
  if (state !== "none") view.open ??= true;
  if (state === "expired") {
    seen.flagged = true;
    view.lastId = view.id;
  }
  view.sameId = state === "active" && view.id !== undefined && view.lastId === view.id;
  if (view.sameId) seen.repaired = true;
}

async function look() {
  const looks = views.map((view) => lookAt(view).catch((error) => say(view, "bad", error.message)));
  const inbox = ours("demo/webhooks").catch(() => ({ webhooks: [] }));
  const provider = ours("demo/sandbox").catch(() => ({ weather }));
  await Promise.all(looks);
  const { weather: now, grants = [], keys = [], clients = [] } = await provider;
  weather = now;
  // Asked of the provider, so that a curl line counts as much as a button.
  if ([...grants, ...keys].some((one) => one.ended) || clients.some((one) => one.deleted)) seen.broken = true;
  draw((await inbox).webhooks);
}

const drawn = {};
let focused;
/** Redraws a place only when what it shows has changed. What had the focus gets it back, as soon as it can have it. */
function put(place, shows, make) {
  const text = JSON.stringify(shows);
  if (drawn[place] === text) return;
  drawn[place] = text;
  const active = document.activeElement;
  if (active !== document.body) focused = active.dataset.key;
  $(place).replaceChildren(...make());
  if (focused && document.activeElement === document.body) $(place).querySelector(`[data-key="${focused}"]`)?.focus();
}

function draw(webhooks) {
  const steps = [
    { text: "Connect", hint: "Sandbox CRM: choose Alice, press Allow.", done: views[0].app?.connected === true || seen.flagged },
    { text: "Use it now", hint: "Evergrant tries the connection.", done: seen.used || seen.flagged },
    { text: "Break it", hint: "Customer takes access back, for one.", done: seen.broken || seen.flagged },
    { text: "Use it again", hint: "Flagged, with its reason; the webhook arrives.", done: seen.flagged },
    { text: "Reconnect", hint: "Works again, under the same id.", done: seen.repaired },
  ];
  put("guide", steps, () => guideList(steps));
  put("apps", views.map(({ open, ...shown }) => shown), () => views.map((view) => card(view, actions)));
  if (webhooks) put("webhooks", webhooks, () => webhookList(webhooks));
  put("weather", weather, () => WEATHER.map(([name, wanted]) => {
    const on = Object.entries({ slow_ms: 0, down: false, throttle: false, lose_replies: 0, garbage: false, ...wanted })
      .every(([key, value]) => (weather[key] ?? value) === value);
    return h("button.chip", { "data-key": `weather ${name}`, "aria-pressed": String(on), onclick: () => setWeather(wanted) }, name);
  }));
}

async function setWeather(wanted) {
  await ours("demo/weather", wanted);
  await look();
}

async function start() {
  const config = await ours("demo/config");
  $("who").textContent = config.linked_account_id;
  evergrant = new Evergrant(config.evergrant_url, async () => (await ours("demo/session", {})).token);
  for (;;) {
    if (!document.hidden) await look();
    await new Promise((later) => setTimeout(later, LOOK_MS));
  }
}

start();
