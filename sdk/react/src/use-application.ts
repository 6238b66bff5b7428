import { statusOf, type Application, type AuthType, type EvergrantError, type Payload, type Status } from '@evergrant/js';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useEvergrant } from './provider.js';

export interface UseApplication {
  /** Undefined until it has been loaded. */
  application: Application | undefined;
  /** Undefined until it has been loaded. */
  status: Status | undefined;
  /** What is under way. */
  busy: 'connect' | 'disconnect' | undefined;
  /** How the last action ended. */
  outcome: 'connected' | 'declined' | 'disconnected' | undefined;
  /** Why the last action, or loading, failed. */
  error: EvergrantError | undefined;
  /** Connects or reconnects. Call it in a click. Never rejects: see `error`. */
  connect: (payload?: Payload, type?: AuthType) => Promise<boolean>;
  /** Ends all connections, or the one of an auth type. Never rejects: see `error`. */
  disconnect: (type?: AuthType) => Promise<boolean>;
  /** Asks again. */
  refresh: () => Promise<void>;
}

type State = { slug: string } & Pick<UseApplication, 'application' | 'busy' | 'outcome' | 'error'>;

function nothing(slug: string): State {
  return { slug, application: undefined, busy: undefined, outcome: undefined, error: undefined };
}

/** One application of the customer: its state, kept current, and what can be done with it. */
export function useApplication(slug: string): UseApplication {
  const { client, session, returned } = useEvergrant();
  const [state, setState] = useState(() => nothing(slug));
  // What was begun for another slug is no longer anything to show.
  const change = useCallback(
    (some: Partial<State>) => setState((before) => (before.slug === slug ? { ...before, ...some } : before)),
    [slug],
  );

  const refresh = useCallback(async () => {
    if (!client) return;
    try {
      change({ application: await client.getApp(slug), error: undefined });
    } catch (error) {
      change({ error: error as EvergrantError });
    }
  }, [client, slug, change]);

  useEffect(() => {
    setState(nothing(slug));
    if (!client) return undefined;
    const stop = new AbortController();
    client.getApp(slug, { signal: stop.signal }).then(
      (application) => change({ application }),
      (error) => { if (!stop.signal.aborted) change({ error }); },
    );
    const unsubscribe = client.onStatusChange(slug, (_, application) => change({ application }));
    return () => { stop.abort(); unsubscribe(); };
  }, [client, slug, change]);

  // A new session, as a rule of the same customer: what is shown and typed stays until there is an answer.
  const asked = useRef(session);
  useEffect(() => {
    if (asked.current === session) return;
    asked.current = session;
    client?.getApp(slug).then((application) => setState((before) => {
      if (before.slug !== slug) return before;
      const over = !before.application || before.error?.code === 'SESSION_EXPIRED';
      return { ...before, application, ...(over && { error: undefined }) };
    }), (error: EvergrantError) => change({ error }));
  }, [client, session, slug, change]);

  useEffect(() => {
    if (returned?.slug !== slug) return;
    change({ outcome: returned.outcome === 'connected' ? 'connected' : 'declined' });
  }, [returned, slug, change]);

  const act = useCallback(async (busy: 'connect' | 'disconnect', action: () => Promise<boolean>) => {
    change({ busy, outcome: undefined, error: undefined });
    try {
      const done = await action();
      const application = client && (await client.getApp(slug).catch(() => undefined));
      const outcome = busy === 'disconnect' ? 'disconnected' : done ? 'connected' : 'declined';
      change({ busy: undefined, outcome, ...(application && { application }) });
      return done;
    } catch (error) {
      change({ busy: undefined, error: error as EvergrantError });
      return false;
    }
  }, [client, slug, change]);

  const connect = useCallback<UseApplication['connect']>(
    async (payload, type) => (client ? act('connect', () => client.connect({ slug, payload, type })) : false),
    [client, slug, act],
  );
  const disconnect = useCallback<UseApplication['disconnect']>(
    async (type) => (client ? act('disconnect', () => client.disconnect(slug, type)) : false),
    [client, slug, act],
  );
  const { application, busy, outcome, error } = state.slug === slug ? state : nothing(slug);
  return { application, status: application && statusOf(application), busy, outcome, error, connect, disconnect, refresh };
}
