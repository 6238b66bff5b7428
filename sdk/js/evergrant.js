/**
 * The browser side of Evergrant: connect, reconnect and disconnect a customer's applications.
 *
 *     const evergrant = new Evergrant({ baseUrl: 'https://connect.example.com', token });
 *     button.onclick = async () => { if (await evergrant.connect('slack')) showConnected(); };
 *
 * One plain module without dependencies, published as it is written. It speaks documented routes only, stores nothing
 * in the browser, and never sees a credential of the application's.
 *
 * @module
 */

const POLL_MS = 3_000;
const GLANCE_MS = 200;
const LAST_LOOK_MS = 1_500;
const REQUEST_MS = 30_000;
const CONSENT_MS = 600_000;
const WATCH_MS = 30_000;
/** So many polls in a row may fail while nobody can be asked any more. */
const PATIENCE = 3;

/**
 * How an application authenticates.
 * @typedef {'oauth2' | 'keybased'} AuthType
 */

/**
 * `none`: not connected; `active`: working; `expired`: the customer must reconnect.
 * @typedef {'none' | 'active' | 'expired'} Status
 */

/**
 * A field of a form that the application asks for.
 * @typedef {object} InputField
 * @property {string} name the key to send back
 * @property {string} label
 * @property {string} type `text`, `password`, `number`, `boolean`, `select`, …
 * @property {boolean} required
 * @property {string} [placeholder]
 * @property {string} [help_text]
 * @property {boolean} [multiple]
 * @property {{ name?: string, value: string }[]} [options] of a `select`
 */

/**
 * A credential that is stored for the customer.
 * @typedef {object} ConnectedAccount
 * @property {unknown} identifier who it is at the application; `"NA"` when unknown
 * @property {string} connectedAt ISO 8601; moves with every reconnect
 * @property {AuthType} auth_type
 * @property {'active' | 'expired'} status
 */

/**
 * An application and what is connected of it.
 * @typedef {object} Application
 * @property {string} name
 * @property {string} slug
 * @property {string} icon an absolute URL
 * @property {string} description
 * @property {AuthType} auth_type the primary one
 * @property {Partial<Record<AuthType, InputField[]>>} auth_type_options the fields of each supported auth type
 * @property {InputField[]} auth_input_map the fields of the primary one
 * @property {string[]} tags
 * @property {boolean} reauth_required
 * @property {boolean} [connected] also while expired
 * @property {ConnectedAccount[]} [connected_accounts]
 */

/**
 * @typedef {object} EvergrantOptions
 * @property {string} [token] a session token that your back end has created for the customer
 * @property {string} [baseUrl] where Evergrant is; may be left out when this module is loaded from there
 * @property {() => string | Promise<string>} [getToken] asked for a token when there is none, or the old one has expired
 * @property {number} [pollMs] how often to look while the customer consents, in milliseconds; 3000 by default
 * @property {number} [timeoutMs] how long to wait for a consent; ten minutes by default, after which it is void anyway
 */

/**
 * @typedef {object} ConnectOptions
 * @property {AbortSignal} [signal] gives up, closes the window and rejects with `ABORTED`
 * @property {number} [timeoutMs] how long to wait for the customer
 */

/**
 * @typedef {object} ConnectFields
 * @property {string} slug
 * @property {AuthType} [type] for applications that take both; otherwise found out
 * @property {Payload} [payload] what the customer has typed in
 */

/** @typedef {ConnectFields & ConnectOptions} ConnectRequest */
/** @typedef {Record<string, string | number | boolean>} Payload */
/** @typedef {(status: Status, application: Application, before: Status) => void} StatusListener */
/** @typedef {{ slug: string, outcome: 'connected' | 'denied' | 'failed', code?: string }} Return */
/** @typedef {{ auth_url: string, flow?: string, can_return?: boolean }} Started */
/** @typedef {{ slug: string, popup: Window, started: Started, before: Application }} Flow */
/** @typedef {{ popup: Window | null | undefined, end: Promise<boolean> }} Running the window: `null` was blocked */

/** The one error that everything here rejects with. */
export class EvergrantError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{ status?: number, requestId?: string, cause?: unknown }} [more]
   */
  constructor(code, message, { status, requestId, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'EvergrantError';
    /**
     * Stable: `SESSION_EXPIRED`, `POPUP_BLOCKED`, `NETWORK`, `TIMEOUT`, `ABORTED`, `INVALID_ARGUMENT`, `BAD_RESPONSE`,
     * why a consent failed (`PROVIDER_PROBLEM`, `NOT_SET_UP`, `NO_TOKENS`, …), or the server's own `error_code`.
     */
    this.code = code;
    /** The HTTP status, where a server answered. */
    this.status = status;
    /** Names the request in the server's log. */
    this.requestId = requestId;
  }
}

/** Why a consent failed, in words for the customer. @type {Record<string, string>} */
const FAILED = {
  CONNECT_FAILED: 'The application could not be connected.',
  PROVIDER_PROBLEM: 'The application had a problem. Nothing has changed; please try again in a moment.',
  NOT_SET_UP: 'The application is not set up correctly yet. Nothing has changed.',
  ACCOUNT_MISMATCH: 'That is another account than the one that was connected. Nothing has changed.',
  NO_TOKENS: 'Access was granted but could not be fetched. Nothing has changed; please try again in a moment.',
};

/**
 * What an application object says about the connection as a whole.
 * @param {Application} application
 * @returns {Status}
 */
export function statusOf(application) {
  if (application.connected !== true) return 'none';
  return application.reauth_required ? 'expired' : 'active';
}

/**
 * What the customer came back with, after a page that could open no window was sent to the application itself; `null` on
 * any other load of the page. Takes it out of the address. It is news for a message on the screen: whether something
 * is connected, `getApp` says.
 * @returns {Return | null}
 */
export function takeReturn() {
  if (typeof window === 'undefined') return null;
  const address = new URL(window.location.href);
  const take = (/** @type {string} */ name) => {
    const value = address.searchParams.get(`evergrant_${name}`) ?? undefined;
    address.searchParams.delete(`evergrant_${name}`);
    return value;
  };
  const [slug, outcome, code] = [take('slug'), take('outcome'), take('code')];
  if (!slug || (outcome !== 'connected' && outcome !== 'denied' && outcome !== 'failed')) return null;
  window.history.replaceState(window.history.state, '', address);
  return { slug, outcome, ...(code && { code }) };
}

/** A customer's applications, as far as a session token reaches. */
export class Evergrant {
  /** @type {string | undefined} */ token;
  /** @type {string} */ baseUrl;
  #options;
  /** @type {Promise<string | undefined> | undefined} */ #renewing;
  /** The last known object of each application. @type {Map<string, Application>} */ #known = new Map();
  #questions = 0;
  /** The number of the question that each was known by. @type {Map<string, number>} */ #asked = new Map();
  /** Consents under way. @type {Map<string, Running>} */ #running = new Map();
  /** @type {Map<string, Set<StatusListener>>} */ #listeners = new Map();

  /** @param {EvergrantOptions} options */
  constructor(options) {
    const { token, baseUrl = ownBase(), getToken } = options ?? {};
    if (!token && !getToken) throw new EvergrantError('INVALID_ARGUMENT', 'Give a session token, or getToken.');
    if (!baseUrl) throw new EvergrantError('INVALID_ARGUMENT', 'baseUrl must say where Evergrant is.');
    this.token = token;
    this.baseUrl = (/^https?:\/\//i.test(baseUrl) ? baseUrl : `https://${baseUrl}`).replace(/\/+$/, '');
    this.#options = { pollMs: POLL_MS, timeoutMs: CONSENT_MS, ...options };
  }

  /**
   * Connects an application, or reconnects it: the same call. Call it in a click, or browsers block the window.
   * Resolves `true` once a new credential works, `false` when the customer declined or closed the window. A refused key
   * rejects, and the old one stays.
   *
   *     connect('slack')                                    // OAuth
   *     connect('twilio', { sid, auth_token })              // keys
   *     connect({ slug: 'shopify', type: 'oauth2', payload: { shop } })
   *
   * @param {string | ConnectRequest} what
   * @param {Payload} [payload]
   * @param {ConnectOptions} [options]
   * @returns {Promise<boolean>}
   */
  connect(what, payload, options) {
    const request = typeof what === 'string' ? { slug: what, payload, ...options } : { ...what };
    const { slug, signal } = request;
    if (!slug || typeof slug !== 'string') return refuse('INVALID_ARGUMENT', 'connect needs the slug of an application.');
    if (signal?.aborted) return Promise.reject(aborted(signal));
    const already = this.#running.get(slug);
    if (already && request.type !== 'keybased') {
      already.popup?.focus();
      return already.end;
    }
    const known = this.#known.get(slug);
    const type = request.type ?? (known && typeFor(known, request.payload));
    if (type === 'keybased') return this.#save(request);
    // Browsers allow a window only within the click; what belongs into it is known an answer later.
    const popup = type === 'oauth2' || !hasFields(request.payload) ? openBlank() : undefined;
    const running = { popup, end: Promise.resolve(false) };
    this.#running.set(slug, running);
    running.end = this.#consent(request, running).finally(() => { this.#running.delete(slug); });
    return running.end;
  }

  /**
   * Ends an application's connections, or the one of an auth type; the credentials are erased.
   * @param {string} slug
   * @param {AuthType} [type]
   * @returns {Promise<true>}
   */
  async disconnect(slug, type) {
    const query = type ? `?auth_type=${encodeURIComponent(type)}` : '';
    await this.#call('DELETE', `/api/v1/linked-acc/integration/${segment(slug)}${query}`);
    await this.#tellListeners(slug);
    return true;
  }

  /**
   * One application with its state; all of them when no slug is given.
   * @template {string | undefined} [S=undefined]
   * @param {S} [slug]
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<S extends string ? Application : Application[]>}
   */
  async getApp(slug, { signal } = {}) {
    const path = slug === undefined ? '' : `/${segment(slug)}`;
    const asked = (this.#questions += 1);
    const found = await this.#call('GET', `/api/v2/f-sdk/application${path}`, undefined, signal);
    for (const application of Array.isArray(found) ? found : [found]) this.#seen(application, asked);
    return found;
  }

  /**
   * All applications with their state.
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<Application[]>}
   */
  getApps(options) { return this.getApp(undefined, options); }

  /** Whose session it is. @returns {Promise<Record<string, unknown>>} */
  getAccountDetails() { return this.#call('GET', '/api/v3/org/basics'); }

  /**
   * The configuration of an application, as the official component asks for it.
   * @param {{ slug: string, config_id?: string, labels?: unknown }} request
   * @returns {Promise<Record<string, unknown>>}
   */
  config(request) { return this.#call('POST', '/api/v2/f-sdk/config', { labels: [], ...request }); }

  /**
   * Calls back whenever the status of an application changes: by what is done here, in another tab, or at the
   * application. Looks every half minute while the page is visible, and whenever it becomes so.
   * @param {string} slug
   * @param {StatusListener} listener
   * @param {{ everyMs?: number, onError?: (error: EvergrantError) => void }} [options]
   * @returns {() => void} stops it
   */
  onStatusChange(slug, listener, { everyMs = WATCH_MS, onError } = {}) {
    const listeners = this.#listeners.get(slug) ?? new Set();
    this.#listeners.set(slug, listeners.add(listener));
    const stopped = new AbortController();
    const look = () => {
      if (typeof document !== 'undefined' && document.visibilityState === 'hidden') return;
      this.getApp(slug, { signal: stopped.signal }).catch((error) => { if (!stopped.signal.aborted) onError?.(error); });
    };
    const timer = setInterval(look, everyMs);
    if (typeof document !== 'undefined') document.addEventListener('visibilitychange', look, { signal: stopped.signal });
    if (!this.#known.has(slug)) look();
    return () => {
      stopped.abort();
      clearInterval(timer);
      listeners.delete(listener);
    };
  }

  /** @param {ConnectRequest} request @returns {Promise<boolean>} */
  async #save({ slug, payload = {}, signal }) {
    const saved = await this.#call('POST', `/api/v2/app/${segment(slug)}/save`, payload, signal);
    await this.#tellListeners(slug);
    return saved.success === true;
  }

  /** @param {ConnectRequest} request @param {Running} running @returns {Promise<boolean>} */
  async #consent(request, running) {
    const { slug, payload, signal } = request;
    try {
      const before = await this.getApp(slug, { signal });
      if ((request.type ?? typeFor(before, payload)) === 'keybased') {
        running.popup?.close();
        return await this.#save(request);
      }
      const query = hasFields(payload) ? `?${new URLSearchParams(Object.entries(payload).map(([k, v]) => [k, String(v)]))}` : '';
      const started = /** @type {Started} */ (await this.#call('GET', `/api/v1/${segment(slug)}/integrate${query}`, undefined, signal));
      const url = webUrl(started.auth_url);
      if (running.popup === undefined) running.popup = openBlank();
      const { popup } = running;
      if (!popup) return await this.#leave(started, before);
      if (popup.closed) return false;
      popup.location.replace(url);
      return await this.#follow({ slug, popup, started, before }, request);
    } catch (error) {
      // The window stays where it says what went wrong, and where a consent still counts that we can no longer follow.
      const { code } = /** @type {EvergrantError} */ (error);
      if (!Object.hasOwn(FAILED, code ?? '') && !(code === 'SESSION_EXPIRED' && leads(running.popup))) running.popup?.close();
      throw error;
    }
  }

  /** No window was allowed: the page itself goes, and comes back. @param {Started} started @param {Application} before */
  async #leave(started, before) {
    if (!started.can_return) {
      throw new EvergrantError('POPUP_BLOCKED', 'The browser blocked the window. Please allow pop-ups for this page and try again.');
    }
    const url = new URL(started.auth_url);
    url.searchParams.set('return_to', window.location.href);
    window.location.assign(url);
    // Only a page that is taken out of the back/forward cache gets past this line: the customer pressed "back".
    await new Promise((back) => { window.addEventListener('pageshow', (event) => { if (event.persisted) back(undefined); }); });
    return isNew(await this.getApp(before.slug), before);
  }

  /**
   * Follows a consent to its end: by the message of the callback page, and by looking, whichever is first.
   * @param {Flow} flow
   * @param {ConnectOptions} options
   * @returns {Promise<boolean>}
   */
  async #follow(flow, { signal, timeoutMs = this.#options.timeoutMs }) {
    const over = new AbortController();
    const interrupted = new Promise((_, reject) => {
      const timer = setTimeout(() => reject(new EvergrantError('TIMEOUT', 'The consent took too long.')), timeoutMs);
      over.signal.addEventListener('abort', () => clearTimeout(timer));
      signal?.addEventListener('abort', () => reject(aborted(signal)), { signal: over.signal });
    });
    try {
      const connected = await Promise.race([told(flow, over.signal), this.#look(flow, over.signal), interrupted]);
      flow.popup.close();
      if (connected) await this.#tellListeners(flow.slug);
      return connected;
    } finally {
      over.abort();
    }
  }

  /**
   * Looks until there is a new credential, or nobody is left who could give one.
   * @param {Flow} flow
   * @param {AbortSignal} over
   * @returns {Promise<boolean>}
   */
  async #look({ slug, popup, before }, over) {
    let [failures, looks] = [0, 0];
    while (!over.aborted) {
      // Read before asking: what was stored before the window closed is in the answer.
      const closed = await closes(popup, this.#options.pollMs, over);
      if (over.aborted) break;
      try {
        if (isNew(await this.getApp(slug, { signal: over }), before)) return true;
        failures = 0;
        // Twice: the window may have been closed while the server was fetching the tokens.
        if (closed && (looks += 1) >= 2) return false;
      } catch (error) {
        failures += 1;
        if (over.aborted) break;
        if (!isPassing(error) || (closed && failures >= PATIENCE)) throw error;
      }
      if (closed) await sleep(LAST_LOOK_MS, over);
    }
    return false;
  }

  /** An answer to an older question than what is known already is no news. @param {Application} application @param {number} asked */
  #seen(application, asked) {
    if (asked < (this.#asked.get(application.slug) ?? 0)) return;
    this.#asked.set(application.slug, asked);
    const before = this.#known.get(application.slug);
    this.#known.set(application.slug, application);
    if (!before || statusOf(before) === statusOf(application)) return;
    for (const listener of this.#listeners.get(application.slug) ?? []) {
      listener(statusOf(application), application, statusOf(before));
    }
  }

  /**
   * Something was done: whoever listens learns it now, and whoever comes later starts from what is. What was asked before
   * comes too late.
   * @param {string} slug
   */
  async #tellListeners(slug) {
    this.#asked.set(slug, (this.#questions += 1));
    if (this.#listeners.get(slug)?.size) await this.getApp(slug).catch(() => {});
    else this.#known.delete(slug);
  }

  /** @param {string} method @param {string} path @param {unknown} [body] @param {AbortSignal} [signal] @returns {Promise<any>} */
  async #call(method, path, body, signal) {
    const token = this.token ?? await this.#renew();
    const answer = await this.#send(method, path, { token, body, signal });
    if (answer.status !== 401 || !this.#options.getToken) return read(answer);
    return read(await this.#send(method, path, { token: await this.#renew(token), body, signal }));
  }

  /** A new token; one question for however many calls need it. @param {string} [refused] @returns {Promise<string>} */
  async #renew(refused) {
    if (refused && this.token && this.token !== refused) return this.token;
    const ask = async () => this.#options.getToken?.();
    this.#renewing ??= ask().finally(() => { this.#renewing = undefined; });
    try {
      this.token = await this.#renewing;
    } catch (cause) {
      throw new EvergrantError('SESSION_EXPIRED', 'The session has expired, and no new one could be had.', { cause });
    }
    if (!this.token) throw new EvergrantError('SESSION_EXPIRED', 'The session has expired.');
    return this.token;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{ token: string, body?: unknown, signal?: AbortSignal | undefined }} what
   */
  async #send(method, path, { token, body, signal }) {
    const cut = new AbortController();
    const timer = setTimeout(() => cut.abort(), REQUEST_MS);
    const stop = () => cut.abort();
    signal?.addEventListener('abort', stop);
    try {
      if (signal?.aborted) throw aborted(signal);
      const answer = await fetch(this.baseUrl + path, {
        method,
        signal: cut.signal,
        headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: answer.status, text: await answer.text() };
    } catch (cause) {
      if (signal?.aborted) throw aborted(signal);
      throw new EvergrantError('NETWORK', 'Evergrant could not be reached. Please try again.', { cause });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }
}

/** The name that the documented class has, so that an import line is all that changes. */
export { Evergrant as Cobalt };

/** @param {{ status: number, text: string }} answer @returns {any} */
function read({ status, text }) {
  /** @type {any} */ let body;
  try { body = JSON.parse(text); } catch { body = undefined; }
  if (status >= 400) {
    const { message, error_code: code, error, request_id: requestId } = body ?? {};
    const more = { status, requestId };
    if (status === 401) throw new EvergrantError('SESSION_EXPIRED', 'The session has expired.', more);
    throw new EvergrantError(String(code ?? error ?? `HTTP_${status}`), message ?? `Evergrant answered ${status}.`, more);
  }
  if (body === null || typeof body !== 'object') throw new EvergrantError('BAD_RESPONSE', 'The answer is not JSON.', { status });
  return body;
}

/**
 * What the callback page says. It is heeded from the window and the origin that we sent the customer to, for this flow.
 * @param {Flow} flow
 * @param {AbortSignal} over
 * @returns {Promise<boolean>}
 */
function told({ popup, started }, over) {
  const origin = new URL(started.auth_url).origin;
  return new Promise((resolve, reject) => {
    window.addEventListener('message', ({ source, origin: sender, data }) => {
      if (source !== popup || sender !== origin || data?.type !== 'evergrant:consent') return;
      if (!started.flow || data.flow !== started.flow) return;
      if (data.outcome === 'connected' || data.outcome === 'denied') resolve(data.outcome === 'connected');
      const code = Object.hasOwn(FAILED, data.code ?? '') ? data.code : 'CONNECT_FAILED';
      reject(new EvergrantError(code, FAILED[code] ?? ''));
    }, { signal: over });
  });
}

/** Whether a window has left our origin, so that a customer may be at work in it. @param {Window | null | undefined} popup */
function leads(popup) {
  try { return popup !== null && popup?.location.href !== 'about:blank'; } catch { return true; }
}

/** Whether the connection is another than before. @param {Application} now @param {Application} before */
function isNew(now, before) {
  const [healthy, was] = [grantOf(now), grantOf(before)];
  return healthy !== undefined && (was === undefined || healthy !== was || healthy === '');
}

/**
 * The time of a working OAuth connection; the empty text where the server does not say; nothing where there is none.
 * @param {Application} application
 */
function grantOf({ connected, reauth_required: expired, connected_accounts: accounts = [] }) {
  if (connected !== true) return undefined;
  if (!accounts.some((one) => one.auth_type && one.status)) return expired ? undefined : accounts[0]?.connectedAt ?? '';
  const grant = accounts.find((one) => one.auth_type === 'oauth2' && one.status === 'active');
  return grant && (grant.connectedAt ?? '');
}

/** @param {Application} application @param {Payload} [payload] @returns {AuthType} */
function typeFor({ auth_type: primary, auth_type_options: options = {} }, payload) {
  if (!hasFields(payload)) return primary;
  const takes = (/** @type {AuthType} */ type) => Object.keys(payload).every((name) => options[type]?.some((field) => field.name === name));
  const other = primary === 'oauth2' ? 'keybased' : 'oauth2';
  return !takes(primary) && takes(other) ? other : primary;
}

/** @param {Payload | undefined} payload @returns {payload is Payload} */
function hasFields(payload) { return payload !== undefined && payload !== null && Object.keys(payload).length > 0; }

/** An empty window, or `null` where the browser blocks it. It must keep its opener, so that it can be told. */
function openBlank() {
  const [width, height] = [600, 740];
  const left = window.screenX + Math.max(0, (window.outerWidth - width) / 2);
  const top = window.screenY + Math.max(0, (window.outerHeight - height) / 3);
  const popup = window.open('', '_blank', `popup,width=${width},height=${height},left=${Math.round(left)},top=${Math.round(top)}`);
  try {
    if (popup) popup.document.title = '…';
  } catch { /* it is only a title */ }
  return popup;
}

/**
 * Waits a poll's time, or until the window is closed. A window that seems closed while the customer is not here may be one
 * whose page has cut the tie to us (`Cross-Origin-Opener-Policy`): then it is not over.
 * @param {Window} popup
 * @param {number} time
 * @param {AbortSignal} over
 */
async function closes(popup, time, over) {
  const here = () => document.hasFocus() || window !== window.top;
  for (let waited = 0; waited < time && !over.aborted; waited += GLANCE_MS) {
    if (popup.closed && here()) return true;
    await sleep(GLANCE_MS, over);
  }
  return popup.closed && here();
}

/** @param {number} time @param {AbortSignal} over @returns {Promise<void>} */
function sleep(time, over) {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      over.removeEventListener('abort', end);
      done();
    };
    const timer = setTimeout(end, time);
    over.addEventListener('abort', end);
  });
}

/** Whether asking again may help. @param {unknown} error */
function isPassing(error) {
  const { code, status = 0 } = /** @type {EvergrantError} */ (error);
  return code === 'NETWORK' || code === 'BAD_RESPONSE' || status === 408 || status === 429 || status >= 500;
}

/** @param {string} text */
function webUrl(text) {
  if (/^https?:\/\//i.test(text ?? '')) return text;
  throw new EvergrantError('BAD_RESPONSE', 'The answer names no address to open.');
}

/** @param {string} slug */
function segment(slug) {
  if (typeof slug === 'string' && slug) return encodeURIComponent(slug);
  throw new EvergrantError('INVALID_ARGUMENT', 'The slug of an application is missing.');
}

/** @param {AbortSignal} signal */
function aborted(signal) { return new EvergrantError('ABORTED', 'Given up.', { cause: signal.reason }); }

/** @param {string} code @param {string} message @returns {Promise<never>} */
function refuse(code, message) { return Promise.reject(new EvergrantError(code, message)); }

/** Where this module came from, if that was an Evergrant server. @returns {string | undefined} */
function ownBase() { return /^(https?:\/\/.+)\/sdk\/evergrant\.js$/.exec(import.meta.url.split(/[?#]/)[0] ?? '')?.[1]; }
