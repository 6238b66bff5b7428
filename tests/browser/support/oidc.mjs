// The third party: oidc-provider, a certified OAuth server that was not written for this project, with levers to do
// to a grant what happens to grants in the world. Facts: its documentation, and what it answered when asked.
import { randomBytes } from 'node:crypto';
import { listen, sendJson } from './net.mjs';

/** @typedef {{ payload: any, expiresAt: number }} Entry */

/** The client as the SaaS team registered it. */
export const CLIENT = Object.freeze({ id: 'lab-client', secret: 'lab-secret-' + randomBytes(16).toString('hex') });

/** Everything the provider keeps, in one map that the levers can reach. */
class Storage {
  /** @type {Map<string, Entry>} */
  entries = new Map();

  /** Every code and token ever issued, for the search for secrets in logs. @type {Set<string>} */
  issued = new Set();

  /** The adapter interface of oidc-provider. @param {string} model */
  adapter(model) {
    const { entries, issued } = this;
    /** @param {string} id */
    const key = (id) => `${model}:${id}`;
    /** @param {string} id */
    const find = async (id) => {
      const entry = entries.get(key(id));
      return entry && entry.expiresAt > Date.now() ? entry.payload : undefined;
    };
    return {
      find,
      /** @param {string} uid */
      findByUid: async (uid) => [...entries].find(([name, { payload }]) => name.startsWith(`${model}:`) && payload.uid === uid)?.[1].payload,
      findByUserCode: async () => undefined,
      /** @param {string} id @param {any} payload @param {number} [expiresIn] seconds */
      async upsert(id, payload, expiresIn) {
        if (['AccessToken', 'AuthorizationCode', 'RefreshToken'].includes(model)) issued.add(id);
        entries.set(key(id), { payload, expiresAt: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
      },
      /** @param {string} id */
      async consume(id) {
        const payload = await find(id);
        if (payload) payload.consumed = Math.floor(Date.now() / 1000);
      },
      /** @param {string} id */
      async destroy(id) { entries.delete(key(id)); },
      /** @param {string} grantId */
      revokeByGrantId: async (grantId) => this.drop((name, payload) => name.startsWith(`${model}:`) && payload.grantId === grantId),
    };
  }

  /** @param {(name: string, payload: any) => boolean} condition */
  drop(condition) {
    for (const [name, { payload }] of this.entries) if (condition(name, payload)) this.entries.delete(name);
  }

  /** @param {string} model @param {string} account */
  of(model, account) {
    return [...this.entries]
      .filter(([name, { payload }]) => name.startsWith(`${model}:`) && payload.accountId === account)
      .map(([name, { payload }]) => ({ id: name.slice(model.length + 1), payload }));
  }
}

/**
 * Settings of oidc-provider. Strict: PKCE always, rotation always, no tolerance for expired tokens (its default keeps
 * them alive for 15 s), refresh tokens only with `offline_access` and `prompt=consent`.
 * @param {Storage} storage
 * @param {{ disabled: Set<string>, accessTtl: number }} state
 */
function configuration(storage, state) {
  return {
    adapter: (/** @type {string} */ model) => storage.adapter(model),
    clockTolerance: 0,
    cookies: { keys: [randomBytes(16).toString('hex')] },
    features: {
      devInteractions: { enabled: true }, // sign-in and consent pages, to be clicked
      revocation: { enabled: true },
      introspection: { enabled: true },
    },
    findAccount: (/** @type {unknown} */ _ctx, /** @type {string} */ id) => (
      state.disabled.has(id) ? undefined : { accountId: id, claims: () => ({ sub: id }) }
    ),
    pkce: { required: () => true },
    rotateRefreshToken: true,
    scopes: ['openid', 'offline_access'],
    ttl: {
      AccessToken: () => state.accessTtl,
      AuthorizationCode: 60,
      Grant: 30 * 86_400,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: 14 * 86_400,
      Session: 14 * 86_400,
    },
  };
}

/** Imports oidc-provider and makes one, without its notices about the run time and its development pages. */
async function quietly(/** @type {() => Promise<any>} */ make) {
  const { info, warn } = console;
  const filter = (/** @type {(...words: any[]) => void} */ print) => (/** @type {any[]} */ ...words) => {
    if (!/oidc-provider (NOTICE|WARNING)/.test(String(words[0]))) print(...words);
  };
  console.info = filter(info);
  console.warn = filter(warn);
  try {
    return await make();
  } finally {
    Object.assign(console, { info, warn });
  }
}

/**
 * Starts the provider. Call `registerClient` with Evergrant's callback address before the first consent.
 * @param {{ accessTtl?: number }} [options] seconds that an access token lives
 */
export async function startProvider({ accessTtl = 3600 } = {}) {
  const storage = new Storage();
  const clients = storage.adapter('Client');
  const state = { disabled: new Set(), accessTtl, down: false, tokenDelay: 0, isolated: false };
  const counts = { exchanges: 0, refreshes: 0, refusedRefreshes: 0, replays: 0, userinfo: 0, waiting: 0 };

  const { server, origin, authority, close } = await listen();
  const provider = await quietly(async () => {
    const { Provider } = await import('oidc-provider');
    return new Provider(origin, configuration(storage, state));
  });
  const grantType = (/** @type {any} */ ctx) => ctx.oidc.params?.grant_type;
  provider.on('grant.success', (/** @type {any} */ ctx) => {
    if (grantType(ctx) === 'refresh_token') counts.refreshes += 1;
    if (grantType(ctx) === 'authorization_code') counts.exchanges += 1;
  });
  provider.on('grant.error', (/** @type {any} */ ctx, /** @type {any} */ error) => {
    if (grantType(ctx) !== 'refresh_token') return;
    counts.refusedRefreshes += 1;
    if (error.error_detail === 'refresh token already used') counts.replays += 1;
  });
  const handle = provider.callback();
  server.on('request', (request, response) => {
    if (state.down) return void sendJson(response, 503, { error: 'temporarily_unavailable' });
    if (state.isolated) response.setHeader('cross-origin-opener-policy', 'same-origin');
    if (request.url?.startsWith('/me')) counts.userinfo += 1;
    if (request.url === '/token') {
      counts.waiting += 1;
      setTimeout(() => { if (!request.socket.destroyed) handle(request, response); }, state.tokenDelay);
    } else {
      handle(request, response);
    }
  });

  /** @type {any} */
  let registration;
  const store = () => clients.upsert(CLIENT.id, { ...registration });

  return {
    origin,
    authority,
    close,
    counts,
    /** What must never be seen in a log: the client's secret, and every code and token there was. */
    secrets: () => [CLIENT.secret, ...storage.issued],
    /** @param {string | string[]} callbacks the exact redirect URIs @param {'client_secret_basic' | 'client_secret_post'} [method] */
    async registerClient(callbacks, method = 'client_secret_basic') {
      registration = {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: [callbacks].flat(),
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: method,
      };
      await store();
    },
    /** The client is gone from the provider: `invalid_client` everywhere. */
    deleteClient: () => clients.destroy(CLIENT.id),
    restoreClient: () => store(),
    /** @param {string} secret */
    async changeSecret(secret) {
      registration.client_secret = secret;
      await store();
    },
    /** The customer, or an administrator, withdraws what was consented to: access and refresh tokens die at once. @param {string} account */
    revokeGrant(account) {
      const grants = storage.of('Grant', account);
      for (const { id } of grants) storage.drop((name, payload) => payload.grantId === id || name === `Grant:${id}`);
      return grants.length;
    },
    /** @param {string} account */
    expireAccessTokens(account) {
      for (const { payload } of storage.of('AccessToken', account)) payload.exp = Math.floor(Date.now() / 1000) - 1;
    },
    /** @param {string} account */
    expireRefreshTokens(account) {
      for (const { payload } of storage.of('RefreshToken', account)) payload.exp = Math.floor(Date.now() / 1000) - 1;
    },
    /** @param {string} account */
    disableAccount: (account) => state.disabled.add(account),
    /** @param {string} account */
    enableAccount: (account) => state.disabled.delete(account),
    /** Every answer is 503 while the provider is down. @param {boolean} down */
    setDown(down) { state.down = down; },
    /** Its pages cut the tie to the window that opened them. @param {boolean} isolated */
    setIsolated(isolated) { state.isolated = isolated; },
    /** The token endpoint begins to work only after so many milliseconds, if its caller is still there. @param {number} delay */
    setTokenDelay(delay) { state.tokenDelay = delay; },
    /** How many live refresh tokens the account has. @param {string} account */
    liveRefreshTokens: (account) => storage.of('RefreshToken', account).filter(({ payload }) => !payload.consumed).length,
  };
}

/**
 * Goes through the sign-in page, when it is shown, to the consent page, and presses its button.
 * @param {import('playwright-core').Page} page
 * @param {string} account
 */
export async function consent(page, account) {
  await reachConsent(page, account);
  await page.getByRole('button', { name: 'Continue' }).click();
}

/**
 * Goes to the consent page and cancels there.
 * @param {import('playwright-core').Page} page
 * @param {string} account
 */
export async function deny(page, account) {
  await reachConsent(page, account);
  await page.getByRole('link', { name: 'Cancel' }).click().catch((error) => {
    if (!page.isClosed()) throw error; // the page it leads to may close its window before the click has settled
  });
}

/**
 * Goes as far as the consent page.
 * @param {import('playwright-core').Page} page
 * @param {string} account
 */
export async function reachConsent(page, account) {
  const agree = page.getByRole('button', { name: 'Continue' });
  const login = page.locator('input[name="login"]');
  await login.or(agree).first().waitFor();
  if (await login.isVisible()) {
    await login.fill(account);
    await page.locator('input[name="password"]').fill('any');
    await page.getByRole('button', { name: 'Sign-in' }).click();
  }
  await agree.waitFor();
}
