import { lookup as resolve } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import type { AddressGuard } from './address-guard.ts';
import { readHeadsOf } from './answer-heads.ts';

/** The name stands for, or is, an address that agents may not be called at. */
export class AddressRefusedError extends Error {
  readonly code = 'AGENT_ADDRESS_REFUSED';
}

/**
 * Opens sockets only to addresses that the guard allows: what a name resolves to is checked in the socket's own lookup, so
 * there is no second resolution between check and use.
 */
export function createGuardedConnector(
  guard: AddressGuard,
  options: buildConnector.BuildOptions = {},
): buildConnector.connector {
  const lookup: LookupFunction = (hostname, lookupOptions, done) => {
    resolve(hostname, { ...lookupOptions, all: true }, (error, found) => {
      if (error) return done(error, []);
      const allowed = found.filter(({ address }) => guard.allows(address));
      const [first] = allowed;
      if (!first) return done(refusal(hostname, guard), []);
      if (lookupOptions.all) return done(null, allowed);
      done(null, first.address, first.family);
    });
  };
  const connect = buildConnector({ ...options, lookup });
  return (target, done) => {
    // A socket to an address literal never calls lookup.
    const literal = target.hostname.replace(/^\[(.*)\]$/, '$1');
    if (isIP(literal) !== 0 && !guard.allows(literal)) return done(refusal(target.hostname, guard), null);
    connect(target, (...result) => {
      const [error, socket] = result;
      if (error === null) readHeadsOf(socket);
      done(...result);
    });
  };
}

/** Without the address: it would tell what a private name resolves to. */
function refusal(hostname: string, { variable }: AddressGuard): AddressRefusedError {
  return new AddressRefusedError(
    `${hostname} is, or resolves to, an address that is not public (${variable} allows others)`,
  );
}
