// The SaaS team's webhook endpoint: takes deliveries, verifies each signature, lets a test await one.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { bodyOf, listen } from './net.mjs';

/**
 * @typedef {object} Delivery
 * @property {Record<string, unknown>} body
 * @property {string} raw the bytes that were signed
 * @property {boolean} genuine whether `x-cobalt-signature` verifies
 */

/**
 * Contract 13.5: lowercase hex of HMAC-SHA256 over the raw body, no prefix.
 * @param {string} key
 * @param {Buffer} raw
 * @param {string | string[] | undefined} header
 */
export function verifies(key, raw, header) {
  if (typeof header !== 'string' || !/^[0-9a-f]{64}$/.test(header)) return false;
  return timingSafeEqual(createHmac('sha256', key).update(raw).digest(), Buffer.from(header, 'hex'));
}

/** Starts a receiver; tell it the signing key by `trust` before the first delivery. */
export async function startReceiver() {
  /** @type {Delivery[]} */
  const deliveries = [];
  /** @type {Set<() => void>} */
  const waiting = new Set();
  let key = '';

  const { origin, authority, close } = await listen(async (request, response) => {
    const raw = await bodyOf(request);
    response.writeHead(200).end();
    deliveries.push({
      raw: raw.toString('utf8'),
      body: JSON.parse(raw.toString('utf8')),
      genuine: verifies(key, raw, request.headers['x-cobalt-signature']),
    });
    for (const wake of waiting) wake();
  });

  /**
   * The deliveries of one event for one linked account, oldest first.
   * @param {string} event
   * @param {string} account
   */
  const of = (event, account) => deliveries.filter(({ body }) => body.event === event && body.linked_account_id === account);

  return {
    url: `${origin}/hooks`,
    authority,
    close,
    of,
    /** @param {string} signingKey */
    trust(signingKey) { key = signingKey; },
    /**
     * The first delivery of the event for the account, come or still to come.
     * @param {string} event
     * @param {string} account
     * @param {number} [deadline] milliseconds
     * @returns {Promise<Delivery>}
     */
    next(event, account, deadline = 20_000) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look);
          const seen = deliveries.map(({ raw }) => raw).join('\n') || 'nothing';
          reject(new Error(`no "${event}" for ${account} within ${deadline / 1000} s; received:\n${seen}`));
        }, deadline);
        const look = () => {
          const [first] = of(event, account);
          if (!first) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(first);
        };
        waiting.add(look);
        look();
      });
    },
  };
}
