// Everything one run needs, wired together: two third parties, the SaaS team's page and receiver, and Evergrant.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeCatalog } from '../catalog/lab.mjs';
import { Evergrant } from './evergrant.mjs';
import { startKeyed } from './keyed.mjs';
import { CLIENT, startProvider } from './oidc.mjs';
import { ProductPage, startProduct } from './page.mjs';
import { startReceiver } from './receiver.mjs';

export const OAUTH_APP = 'oidc-lab';
export const KEYED_APP = 'keyed-lab';
/** Ends in a few days; only where there are many. */
export const ENDING_APP = 'ending-lab';
/** Takes keys, and offers no way to check one. */
export const UNCHECKED_APP = 'unchecked-lab';
/** Takes either, and has no OAuth client. */
export const BOTH_APP = 'both-lab';
export const EVENTS = ['Connection Created', 'Connection Deleted', 'Connection Expired'];

/** A customer of the SaaS team, with a browser of their own and the team's page open in it. */
export class Customer {
  /**
   * @param {string} account
   * @param {import('playwright-core').BrowserContext} context
   * @param {ProductPage} product
   */
  constructor(account, context, product) {
    this.account = account;
    this.context = context;
    this.product = product;
  }
}

/** The world of one engine. */
export class Lab {
  /**
   * @param {Awaited<ReturnType<typeof startProvider>>} oidc
   * @param {Awaited<ReturnType<typeof startKeyed>>} keyed
   * @param {Awaited<ReturnType<typeof startReceiver>>} receiver
   * @param {Awaited<ReturnType<typeof startProduct>>} page
   */
  constructor(oidc, keyed, receiver, page) {
    this.oidc = oidc;
    this.keyed = keyed;
    this.receiver = receiver;
    this.page = page;
    this.folder = '';
    /** @type {Evergrant | undefined} */
    this.running = undefined;
  }

  /**
   * `many` applications, for pictures of long lists.
   * @param {import('./evergrant.mjs').Engine} engine
   * @param {{ many?: boolean }} [options]
   */
  static async start(engine, { many = false } = {}) {
    const lab = new Lab(await startProvider(), await startKeyed(), await startReceiver(), await startProduct());
    try {
      await lab.#startEvergrant(engine, many);
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  /** @param {import('./evergrant.mjs').Engine} engine @param {boolean} many */
  async #startEvergrant(engine, many) {
    this.folder = await mkdtemp(join(tmpdir(), 'evergrant-catalog-'));
    await writeCatalog(this.folder, { oidc: this.oidc.origin, keyed: this.keyed.origin, many });
    const egressAllow = [this.oidc, this.keyed, this.receiver].map(({ authority }) => authority);
    this.running = await Evergrant.start({ engine, egressAllow, catalog: this.folder });
    await this.oidc.registerClient([OAUTH_APP, ENDING_APP].map((slug) => this.evergrant.callback(slug)));
    await this.evergrant.setClient(OAUTH_APP, CLIENT);
    if (many) await this.evergrant.setClient(ENDING_APP, CLIENT);
    await this.evergrant.createWebhook(this.receiver.url, EVENTS);
    this.receiver.trust(this.evergrant.key);
  }

  get evergrant() {
    if (!this.running) throw new Error('Evergrant is not running');
    return this.running;
  }

  /**
   * A new linked account with a browser and the team's page open in it.
   * @param {import('playwright-core').Browser} browser
   * @param {string} account
   */
  async customer(browser, account) {
    await this.evergrant.createAccount(account);
    const token = await this.evergrant.sessionToken(account);
    const context = await browser.newContext();
    context.setDefaultTimeout(20_000);
    const product = await ProductPage.open(context, { origin: this.page.origin, baseUrl: this.evergrant.origin, token });
    return new Customer(account, context, product);
  }

  /** The customer enters a key in another tab. @param {string} account @param {string} key */
  async saveKey(account, key) {
    const token = await this.evergrant.sessionToken(account);
    const answer = await fetch(`${this.evergrant.origin}/api/v2/app/${KEYED_APP}/save`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ api_key: key }),
    });
    if (!answer.ok) throw new Error(`saving a key: ${answer.status} ${await answer.text()}`);
  }

  /** Ends a customer's session; until then its account is given the same token. @param {string} token */
  async revokeSession(token) {
    const answer = await fetch(`${this.evergrant.origin}/api/v2/public/session-token/revoke`, {
      method: 'POST', headers: { authorization: `Bearer ${token}` },
    });
    if (!answer.ok) throw new Error(`revoking a session: ${answer.status} ${await answer.text()}`);
  }

  async close() {
    try {
      for (const secret of [...this.oidc.secrets(), ...this.keyed.secrets()]) this.running?.secrets.add(secret);
      await this.running?.stop();
    } finally {
      await Promise.all([this.oidc, this.keyed, this.receiver, this.page].map(({ close }) => close()));
      if (this.folder) await rm(this.folder, { recursive: true, force: true });
    }
  }
}
