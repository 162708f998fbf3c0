/** `-S`: the server as an SRV record of the domain. [RFC 2782] */
import { Resolver } from 'node:dns/promises';
import { hostname } from 'node:os';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/**
 * The servers of a domain, in the order in which they should be tried: lower priority first, among equals by chance according to weight.
 * Rejects with Node's error if there are none.
 * @param domain default: that of this computer
 * @param resolver default: one that asks the name servers of this computer
 */
export async function lookUpServers(
  domain: string | undefined,
  isTls: boolean,
  resolver: Pick<Resolver, 'resolveSrv'> = new Resolver(),
): Promise<Target[]> {
  const service = isTls ? '_secure-mqtt._tcp' : '_mqtt._tcp';
  const records = await resolver.resolveSrv(`${service}.${domain ?? localDomain()}`);
  return records
    .map((record) => ({ record, rank: Math.random() ** (1 / (record.weight + 1)) }))
    .sort((a, b) => a.record.priority - b.record.priority || b.rank - a.rank)
    .map(({ record }) => ({ host: record.name, port: record.port }));
}

function localDomain(): string {
  const name = hostname();
  const dot = name.indexOf('.');
  return dot < 0 ? name : name.slice(dot + 1);
}
