import { Evergrant, takeReturn, type Return } from '@evergrant/js';
import { createContext, useContext, useEffect, useMemo, useRef, useState, type CSSProperties, type ReactNode } from 'react';
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
  texts: Texts;
  /** What the customer came back with, where the page itself had gone to the application. */
  returned: Return | null;
  /** The class names of an element, or none where everything is unstyled. */
  classes: (...names: (string | false | undefined)[]) => string | undefined;
  theme: 'auto' | 'light' | 'dark';
}

const Context = createContext<EvergrantContext | undefined>(undefined);

/** Gives the components below it their session. Safe to render on a server: nothing is asked before the page is live. */
export function EvergrantProvider(props: EvergrantProviderProps): ReactNode {
  const { sessionToken, baseUrl, getToken, unstyled = false, theme = 'auto', texts, children } = props;
  const latest = useRef(getToken);
  useEffect(() => { latest.current = getToken; });
  const renewable = getToken !== undefined;
  const client = useMemo(() => {
    if (!sessionToken && !renewable) return undefined;
    const renew = async () => (await latest.current?.()) ?? '';
    return new Evergrant({ baseUrl, token: sessionToken, ...(renewable && { getToken: renew }) });
  }, [sessionToken, baseUrl, renewable]);

  const [returned, setReturned] = useState<Return | null>(null);
  useEffect(() => {
    const found = takeReturn();
    if (found) setReturned(found);
  }, []);

  const value = useMemo<EvergrantContext>(() => ({
    client,
    returned,
    theme,
    texts: { ...english, ...texts },
    classes: (...names) => (unstyled ? undefined : names.filter(Boolean).map((name) => `eg-${name}`).join(' ') || undefined),
  }), [client, returned, theme, texts, unstyled]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

/** What the provider gives. */
export function useEvergrant(): EvergrantContext {
  const found = useContext(Context);
  if (!found) throw new Error('Wrap this in <EvergrantProvider>.');
  return found;
}

/** The outermost element of a component. */
export function Root({ name, style, children, ...rest }: { name: string; style?: CSSProperties; children: ReactNode } & Record<`data-${string}`, string>): ReactNode {
  const { classes, theme } = useEvergrant();
  return <div className={classes('root', name)} data-eg-theme={theme} style={style} {...rest}>{children}</div>;
}
