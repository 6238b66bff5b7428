// Customers, and everybody who works on their behalf: calls, credentials, checks, disconnects and reconnects, all at once.
import { randomInt } from 'node:crypto';
import { APPS } from './provider.mjs';

/** @typedef {import('../support/evergrant.mjs').Evergrant} Evergrant */
/** @typedef {Awaited<ReturnType<typeof import('./provider.mjs').startProvider>>} Provider */

/**
 * One customer's connection to one application, and what is true of it.
 * @typedef {object} Slot
 * @property {string} account
 * @property {string} app
 * @property {string} id of the connection; empty while there is none
 * @property {import('./provider.mjs').Grant | undefined} grant
 * @property {boolean} changing somebody connects or disconnects it
 */

const pause = (/** @type {number} */ ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
/** @template T @param {T[]} all @returns {T} */
const any = (all) => /** @type {T} */ (all[randomInt(all.length)]);

export class Load {
  /** @type {Slot[]} */
  slots = [];
  /** How often what came of what. @type {Map<string, number>} */
  seen = new Map();
  /** What must not happen. @type {string[]} */
  wrong = [];
  changes = { connected: 0, disconnected: 0, revoked: 0, hungUp: 0 };
  stopped = false;

  /** @param {Evergrant[]} nodes those that run; it may change under way @param {Provider} provider */
  constructor(nodes, provider) {
    this.nodes = nodes;
    this.provider = provider;
  }

  /** One that runs, as soon as there is one. */
  async node() {
    while (this.nodes.length === 0) await pause(50);
    return any(this.nodes);
  }

  /**
   * One request to one of the nodes; `undefined` where the node has died.
   * @param {string} method @param {string} path
   * @param {{ account?: string, body?: string | Uint8Array<ArrayBuffer>, kind: string, hangUp?: boolean }} what
   * @returns {Promise<{ status: number, text: string } | undefined>}
   */
  async ask(method, path, { account, body, kind, hangUp = false }) {
    const node = await this.node();
    const broken = new AbortController();
    let status = 'none';
    try {
      const answer = await fetch(node.origin + path, {
        method, body,
        signal: AbortSignal.any([broken.signal, AbortSignal.timeout(60_000)]),
        headers: { 'x-api-key': node.key, 'content-type': 'application/json', ...(account && { linked_account_id: account }) },
      });
      status = String(answer.status);
      if (hangUp) {
        broken.abort();
        this.changes.hungUp += 1;
      }
      const text = await answer.text();
      if (answer.status === 500) this.wrong.push(`500 for ${kind}: ${text.slice(0, 200)}`);
      return { status: answer.status, text };
    } catch (error) {
      if (error instanceof DOMException && error.name === 'TimeoutError') this.wrong.push(`no answer to ${kind} within a minute`);
      status = 'broken off';
      return undefined;
    } finally {
      const name = `${kind} ${status}`;
      this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
    }
  }

  /** @param {Slot} slot */
  async connect(slot) {
    // Whether a node that died had stored it is not known: then the customer consents once more.
    for (;;) {
      const grant = this.provider.consent(slot.app);
      if (await this.consented(slot, grant)) {
        slot.grant = grant;
        break;
      }
      await pause(200);
    }
    for (;;) {
      const path = `/api/v2/public/connection?slug=${slot.app}`;
      const answer = await this.ask('GET', path, { account: slot.account, kind: 'list' });
      slot.id = answer?.status === 200 ? JSON.parse(answer.text).docs[0]?.id ?? '' : '';
      if (slot.id) break;
      await pause(200);
    }
    this.changes.connected += 1;
  }

  /**
   * The way of a browser: start page, the provider, callback. Whether the grant is stored for certain.
   * @param {Slot} slot @param {import('./provider.mjs').Grant} grant
   */
  async consented({ account, app }, grant) {
    const node = await this.node();
    try {
      const key = { 'x-api-key': node.key, linked_account_id: account };
      const begun = await fetch(`${node.origin}/api/v2/public/linked-account/integration/oauth-url/${app}`, { headers: key });
      const { auth_url } = /** @type {any} */ (await begun.json());
      const start = await fetch(node.origin + new URL(auth_url).pathname, { redirect: 'manual' });
      await start.text(); // one that is not read keeps its connection open
      const cookie = start.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ');
      const asked = new URL(start.headers.get('location') ?? '').searchParams;
      const back = new URL(asked.get('redirect_uri') ?? '');
      back.search = new URLSearchParams({ code: grant.code, state: asked.get('state') ?? '' }).toString();
      const done = await fetch(node.origin + back.pathname + back.search, { headers: { cookie } });
      await done.text();
      return done.status === 200;
    } catch {
      return false;
    }
  }

  /** @param {Slot} slot */
  async disconnect(slot) {
    for (;;) {
      const path = `/api/v2/public/linked-account/integration/${slot.app}`;
      const answer = await this.ask('DELETE', path, { account: slot.account, kind: 'disconnect' });
      if (answer && [200, 404].includes(answer.status)) break;
      if (answer && answer.status < 500) {
        this.wrong.push(`disconnect: ${answer.status} ${answer.text.slice(0, 200)}`);
        break;
      }
      await pause(200);
    }
    slot.grant = undefined;
    slot.id = '';
    this.changes.disconnected += 1;
  }

  /** @param {number} customers */
  async fill(customers) {
    for (let at = 0; at < customers; at += 1) {
      const account = `customer-${at}`;
      await this.nodes[0]?.createAccount(account);
      for (const app of APPS) this.slots.push({ account, app, id: '', grant: undefined, changing: false });
    }
    const waiting = [...this.slots];
    await Promise.all(Array.from({ length: 8 }, async () => {
      for (let slot = waiting.pop(); slot; slot = waiting.pop()) await this.connect(slot);
    }));
  }

  /** Changes what is true of a connection, one change at a time. @param {Slot} slot */
  async change(slot) {
    if (slot.changing) return;
    slot.changing = true;
    try {
      if (!slot.grant || slot.grant.end) await this.connect(slot);
      else if (Math.random() < 0.5) {
        slot.grant.end = 'revoked';
        this.changes.revoked += 1;
      } else await this.disconnect(slot);
    } finally {
      slot.changing = false;
    }
  }

  /** Whether an answer says that only the customer can help, of a grant that has lived all the while. @param {Slot} slot */
  async use(slot, /** @type {() => Promise<{ status: number, text: string } | undefined>} */ ask) {
    const { grant } = slot;
    const answer = await ask();
    const same = grant && slot.grant === grant && !grant.end && !slot.changing;
    if (answer?.status === 409 && same) this.wrong.push(`a live grant, ${grant.id}, was called dead: ${answer.text.slice(0, 300)}`);
  }

  /** Somebody who does one thing after the other. */
  async work() {
    while (!this.stopped) {
      const slot = any(this.slots);
      const at = Math.random();
      const { account, app, id } = slot;
      const proxy = `/api/v2/public/proxy/${app}`;
      if (at < 0.5) {
        const hangUp = Math.random() < 0.05;
        await this.use(slot, () => this.ask('GET', `${proxy}/me`, { account, kind: 'call', hangUp }));
      } else if (at < 0.62) {
        const body = new Uint8Array(randomInt(400_000));
        await this.use(slot, () => this.ask('POST', `${proxy}/echo`, { account, kind: 'upload', body, hangUp: Math.random() < 0.05 }));
      } else if (at < 0.85 && id) {
        await this.use(slot, () => this.ask('GET', `/api/v2/public/connection/${id}/credential`, { kind: 'credential' }));
      } else if (at < 0.92 && id) {
        await this.ask('POST', `/api/v2/public/connection/${id}/check`, { kind: 'check' });
      } else if (at < 0.95 && id) {
        await this.ask('POST', `/api/v2/public/connection/${id}/refresh`, { kind: 'refresh' });
      } else if (at < 0.98) {
        await this.ask('GET', '/api/v2/public/connection?limit=100', { kind: 'list' });
      } else {
        await this.change(slot);
      }
      await pause(randomInt(10, 60));
    }
  }

  /** Begins; what comes back ends it. @param {number} workers */
  start(workers) {
    const working = Promise.all(Array.from({ length: workers }, () => this.work()));
    return async () => {
      this.stopped = true;
      await working;
    };
  }
}
