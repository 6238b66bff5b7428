import { Evergrant, takeReturn, type Return } from '@evergrant/js';
import { createContext, useContext, useEffect, useLayoutEffect, useMemo, useRef, useState, type CSSProperties, type ReactNode } from 'react';
import { english, type Texts } from './texts.js';

export interface EvergrantProviderProps {
  /** A session token that your back end has created for the customer. */
  sessionToken?: string;
  /** Where Evergrant is. */
  baseUrl: string;
  /** Asked for a session token when there is none, or the old one has expired. */
  getToken?: () => string | Promise<string>;
  /** Leaves every class name away: the markup is yours to style. */
  unstyled?: boolean;
  /** `auto` follows the customer's system. */
  theme?: 'auto' | 'light' | 'dark';
  /** Other words. */
  texts?: Partial<Texts>;
  children?: ReactNode;
}

export interface EvergrantContext {
  /** None while there is no session token. */
  client: Evergrant | undefined;
  /** The `sessionToken`: when it changes, what is shown is asked for again. */
  session: string | undefined;
  texts: Texts;
  /** What the customer came back with, where the page itself had gone to the application. */
  returned: Return | null;
  /** The class names of an element, or none where everything is unstyled. */
  classes: (...names: (string | false | undefined)[]) => string | undefined;
  theme: 'auto' | 'light' | 'dark';
}

const Context = createContext<EvergrantContext | undefined>(undefined);

/** Before the effects of what is inside. On a server there are none. */
const useEarlyEffect = typeof window === 'undefined' ? useEffect : useLayoutEffect;

/**
 * Gives the components below it their session. Safe to render on a server: nothing is asked before the page is live. A new
 * `sessionToken` is taken to be the same customer's, so that nothing is lost that they are typing or doing; for another
 * customer give the provider another `key`.
 */
export function EvergrantProvider(props: EvergrantProviderProps): ReactNode {
  const { sessionToken, baseUrl, getToken, unstyled = false, theme = 'auto', texts, children } = props;
  const latest = useRef(getToken);
  useEffect(() => { latest.current = getToken; });
  const renewable = getToken !== undefined;
  const usable = renewable || Boolean(sessionToken);
  const client = useMemo(() => {
    const renew = async () => (await latest.current?.()) ?? '';
    return usable ? new Evergrant({ baseUrl, token: sessionToken, ...(renewable && { getToken: renew }) }) : undefined;
  }, [baseUrl, usable, renewable]); // not the token: a client lives on with the next
  useEarlyEffect(() => { if (client) client.token = sessionToken; }, [client, sessionToken]);

  const [returned, setReturned] = useState<Return | null>(null);
  useEffect(() => {
    const found = takeReturn();
    if (found) setReturned(found);
  }, []);

  const value = useMemo<EvergrantContext>(() => ({
    client,
    session: sessionToken,
    returned,
    theme,
    texts: { ...english, ...texts },
    classes: (...names) => (unstyled ? undefined : names.filter(Boolean).map((name) => `eg-${name}`).join(' ') || undefined),
  }), [client, sessionToken, returned, theme, texts, unstyled]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

/** What the provider gives. */
export function useEvergrant(): EvergrantContext {
  const found = useContext(Context);
  if (!found) throw new Error('Wrap this in <EvergrantProvider>.');
  return found;
}

type RootProps = { name: string; style?: CSSProperties; children: ReactNode } & Record<`data-${string}`, string>;

/**
 * The outermost element of a component. When what had the focus goes, because a poll came in or something is done, the
 * place where that is said gets the focus: without, a keyboard is thrown back to the top of the page.
 */
export function Root({ name, style, children, ...rest }: RootProps): ReactNode {
  const { classes, theme } = useEvergrant();
  const root = useRef<HTMLDivElement>(null);
  const focused = useRef<Element | null>(null);
  useEffect(() => {
    if (!focused.current || focused.current.isConnected) return;
    focused.current = null;
    if (document.activeElement === document.body) root.current?.querySelector<HTMLElement>('[role="status"]')?.focus();
  });
  return (
    <div
      ref={root}
      className={classes('root', name)}
      data-eg-theme={theme}
      style={style}
      onFocus={(event) => { focused.current = event.target; }}
      onBlur={() => { if (document.hasFocus()) focused.current = null; }} // not while another window is in front
      {...rest}
    >
      {children}
    </div>
  );
}
