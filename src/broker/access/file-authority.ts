/** Access control by `allow_anonymous`, password files and ACL files, for all listeners or for each its own. */
import type { ConnectPacket } from '../../codec/packets.ts';
import { ReasonCode } from '../../protocol/reason-codes.ts';
import type { Authority, ClientIdentity, Verdict } from '../auth.ts';
import type { ListenerConfiguration, SecuritySettings } from '../config/configuration.ts';
import type { Log } from '../log.ts';
import { isReservedTopic } from '../reserved-topics.ts';
import { type AclFile, allows, dangerousName, type Rule, readAclFile, rulesFor } from './acl-file.ts';
import { type PasswordFile, PasswordVerifier, readPasswordFile } from './password-file.ts';

/** What one listener asks of its clients. */
interface Policy {
  readonly allowsAnonymous: boolean;
  readonly passwords: PasswordFile | undefined;
  readonly acl: AclFile | undefined;
}

/** What was found out about one client, until the rules change. */
interface ClientRules {
  readonly epoch: number;
  readonly rules: readonly Rule[];
  /** Answers for topics it published to. */
  readonly mayPublish: Map<string, boolean>;
}

/** Topics whose answer is remembered per client; a client that uses more is asked again. */
const rememberedTopicsMax = 256;
/** Names that are logged once; when there are more, some are logged again. */
const dangersToldMax = 1000;
const noPassword = new Uint8Array(0);

export class FileAuthority implements Authority {
  readonly #log: Log;
  readonly #verifier = new PasswordVerifier();
  #policies: readonly Policy[];
  #clients = new WeakMap<ClientIdentity, ClientRules>();
  readonly #dangersTold = new Set<string>();
  #epoch = 0;
  #hasAcl: boolean;

  constructor(listeners: readonly ListenerConfiguration[], log: Log) {
    this.#log = log;
    this.#policies = loadPolicies(listeners, log);
    this.#hasAcl = this.#policies.some((policy) => policy.acl !== undefined);
  }

  get epoch(): number {
    return this.#epoch;
  }

  get receivesAll(): boolean {
    return !this.#hasAcl;
  }

  /** Without ACL files; topics below `$SYS/`, which are the broker's, it refuses before it asks. */
  get publishesAll(): boolean {
    return !this.#hasAcl;
  }

  /**
   * Reads the files again, for the listeners in the same order.
   * @throws {AccessFileError} if one cannot be used; everything is then as it was
   */
  reload(listeners: readonly ListenerConfiguration[]): void {
    this.#policies = loadPolicies(listeners, this.#log);
    this.#hasAcl = this.#policies.some((policy) => policy.acl !== undefined);
    this.#clients = new WeakMap();
    this.#epoch++;
  }

  authenticate(identity: ClientIdentity, connect: ConnectPacket): Verdict | Promise<Verdict> {
    const policy = this.#policies[identity.listenerIndex];
    if (policy === undefined) return ReasonCode.notAuthorized;
    if (identity.username === undefined || policy.passwords === undefined) {
      // Without a password file a user name proves nothing, so its client is as anonymous as one without.
      return policy.allowsAnonymous ? ReasonCode.success : ReasonCode.notAuthorized;
    }
    const check = this.#verifier.verify(policy.passwords, identity.username, connect.password ?? noPassword);
    if (check === undefined) return ReasonCode.serverBusy;
    // Mosquitto says “not authorised” rather than “bad user name or password”, and scripts test for it.
    return check.then((isRight) => (isRight ? ReasonCode.success : ReasonCode.notAuthorized));
  }

  mayPublish(identity: ClientIdentity, topicName: string): Verdict {
    return this.#allowsPublish(identity, topicName) ? ReasonCode.success : ReasonCode.notAuthorized;
  }

  /** Everybody may subscribe to everything; what may not be read is not delivered. As in Mosquitto 2.0. */
  maySubscribe(): Verdict {
    return ReasonCode.success;
  }

  mayReceive(identity: ClientIdentity, topicName: string): boolean {
    if (!this.#hasAcl) return true;
    const acl = this.#policies[identity.listenerIndex]?.acl;
    return acl === undefined || allows(this.#rulesOf(identity, acl).rules, 'read', topicName);
  }

  #allowsPublish(identity: ClientIdentity, topicName: string): boolean {
    if (isReservedTopic(topicName)) return false;
    if (!this.#hasAcl) return true;
    const acl = this.#policies[identity.listenerIndex]?.acl;
    if (acl === undefined) return true;
    const client = this.#rulesOf(identity, acl);
    const known = client.mayPublish.get(topicName);
    if (known !== undefined) return known;
    const answer = allows(client.rules, 'write', topicName);
    if (client.mayPublish.size >= rememberedTopicsMax) client.mayPublish.clear();
    client.mayPublish.set(topicName, answer);
    return answer;
  }

  #rulesOf(identity: ClientIdentity, acl: AclFile): ClientRules {
    const known = this.#clients.get(identity);
    if (known?.epoch === this.#epoch) return known;
    this.#warnOfDanger(dangerousName(acl, identity));
    const client = { epoch: this.#epoch, rules: rulesFor(acl, identity), mayPublish: new Map<string, boolean>() };
    this.#clients.set(identity, client);
    return client;
  }

  #warnOfDanger(name: string | undefined): void {
    if (name === undefined || this.#dangersTold.has(name)) return;
    if (this.#dangersTold.size >= dangersToldMax) this.#dangersTold.clear();
    this.#dangersTold.add(name);
    this.#log.write('notice', `ACL denying access to client with dangerous ${name}`);
  }
}

/** Reads every file once, however many listeners share it, and logs the lines that are not used. */
function loadPolicies(listeners: readonly ListenerConfiguration[], log: Log): Policy[] {
  const passwordFiles = new Map<string, PasswordFile>();
  const aclFiles = new Map<string, AclFile>();
  const policies = listeners.map(({ security }) => loadPolicy(security, passwordFiles, aclFiles));
  // Only now, when nothing can fail any more: a reload that fails leaves no half of its messages behind.
  for (const file of passwordFiles.values()) {
    for (const problem of file.problems) log.write('error', `Error: ${problem}.`);
  }
  for (const file of aclFiles.values()) {
    for (const warning of file.warnings) log.write('warning', `Warning: ${warning}`);
  }
  return policies;
}

function loadPolicy(
  security: SecuritySettings,
  passwordFiles: Map<string, PasswordFile>,
  aclFiles: Map<string, AclFile>,
): Policy {
  const load = <T>(path: string | undefined, files: Map<string, T>, read: (path: string) => T): T | undefined => {
    if (path === undefined) return undefined;
    const file = files.get(path) ?? read(path);
    files.set(path, file);
    return file;
  };
  return {
    allowsAnonymous: security.allowAnonymous,
    passwords: load(security.passwordFile, passwordFiles, readPasswordFile),
    acl: load(security.aclFile, aclFiles, readAclFile),
  };
}

/**
 * The authority that the listeners' settings describe.
 * @throws {AccessFileError} if a password or ACL file cannot be used
 */
export function createAuthority(listeners: readonly ListenerConfiguration[], log: Log): FileAuthority {
  return new FileAuthority(listeners, log);
}
