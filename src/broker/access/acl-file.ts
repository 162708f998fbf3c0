/**
 * An ACL file: lines of `user name`, `topic [read|write|readwrite|deny] filter` and `pattern [read|write|readwrite|deny] filter`.
 * [mosquitto.conf(5) acl_file]
 *
 * Topics before the first `user` are for clients without user name, those after it for that user. Patterns are for all. What
 * neither allows is refused. The rules are followed as Mosquitto 2.0.11 follows them, which is what files were written for.
 */
import { isTopicFilter, matchesFilter } from '../../protocol/topics.ts';
import { readTextLines, TextFileError } from '../config/text-file.ts';
import { splitWord } from '../config/values.ts';
import { AccessFileError } from './access-file-error.ts';

/** What a rule allows; `deny` allows nothing and goes before all that do. */
export type Access = 'read' | 'write' | 'readwrite' | 'deny';

export interface Rule {
  readonly access: Access;
  /** In a pattern, `%c` stands for the Client Identifier and `%u` for the user name, wherever they are. */
  readonly topicFilter: string;
}

export interface AclFile {
  readonly path: string;
  /** Rules of clients without user name, those that deny first. */
  readonly anonymous: readonly Rule[];
  readonly users: ReadonlyMap<string, readonly Rule[]>;
  readonly patterns: readonly Rule[];
  /** Lines that are likely not to mean what they say, each a sentence with file and line. */
  readonly warnings: readonly string[];
}

/** Who the rules are asked about. */
export interface Subject {
  readonly clientIdentifier: string;
  readonly username: string | undefined;
}

/** @throws {AccessFileError} if the file cannot be read or a line cannot be used */
export function readAclFile(path: string): AclFile {
  const anonymous: Rule[] = [];
  const users = new Map<string, Rule[]>();
  const patterns: Rule[] = [];
  const warnings: string[] = [];
  let current = anonymous;
  try {
    for (const { number, text, isWellFormed } of readTextLines(path, 'acl_file')) {
      const line = text.trim();
      if (line === '' || line.startsWith('#')) continue;
      const fail = (message: string) => new AccessFileError(`${message} at ${path}:${number}.`, path, number);
      if (!isWellFormed) throw fail('Malformed UTF-8');
      const [keyword, rest] = splitWord(line);
      switch (keyword) {
        case 'user': {
          if (rest === '') throw fail('Missing username');
          const known = users.get(rest);
          current = known ?? [];
          if (known === undefined) users.set(rest, current);
          break;
        }
        case 'topic':
          current.push(parseRule(rest, fail));
          break;
        case 'pattern': {
          const rule = parseRule(rest, fail);
          patterns.push(rule);
          if (!/%[cu]/.test(rule.topicFilter)) {
            warnings.push(`ACL pattern "${rule.topicFilter}" at ${path}:${number} does not contain %c or %u.`);
          }
          break;
        }
        default:
          throw fail(`Invalid line "${keyword.slice(0, 80)}"; expected user, topic or pattern`);
      }
    }
  } catch (error) {
    if (error instanceof TextFileError) throw new AccessFileError(error.message, path, 0);
    throw error;
  }
  for (const [username, rules] of users) users.set(username, denialsFirst(rules));
  return { path, anonymous: denialsFirst(anonymous), users, patterns: denialsFirst(patterns), warnings };
}

function parseRule(text: string, fail: (message: string) => AccessFileError): Rule {
  if (text === '') throw fail('Empty topic');
  const [first, rest] = splitWord(text);
  // `topic read` alone is about a topic of that name.
  const access = rest === '' ? 'readwrite' : first;
  const topicFilter = rest === '' ? first : rest;
  if (!isAccess(access)) {
    throw fail(`Invalid topic access type "${access.slice(0, 80)}"; expected read, write, readwrite or deny`);
  }
  if (!isTopicFilter(topicFilter)) throw fail(`Invalid ACL topic "${topicFilter.slice(0, 80)}"`);
  return { access, topicFilter };
}

function isAccess(text: string): text is Access {
  return text === 'read' || text === 'write' || text === 'readwrite' || text === 'deny';
}

function denialsFirst(rules: readonly Rule[]): Rule[] {
  return [...rules.filter((rule) => rule.access === 'deny'), ...rules.filter((rule) => rule.access !== 'deny')];
}

/**
 * The rules that hold for one client, in the order they are asked: its own, then the patterns with its names filled in.
 *
 * A client whose names contain `+` or `#` gets no patterns: they would match more than its own topics.
 */
export function rulesFor(file: AclFile, subject: Subject): readonly Rule[] {
  const { username, clientIdentifier } = subject;
  const own = username === undefined ? file.anonymous : (file.users.get(username) ?? []);
  if (file.patterns.length === 0 || dangerousName(file, subject) !== undefined) return own;
  const filled: Rule[] = [];
  for (const { access, topicFilter } of file.patterns) {
    if (username === undefined && topicFilter.includes('%u')) continue;
    const filter = topicFilter.replace(/%[cu]/g, (name) => (name === '%c' ? clientIdentifier : (username ?? '')));
    filled.push({ access, topicFilter: filter });
  }
  return [...own, ...filled];
}

/** Which of the client's names keeps it from all patterns of the file. */
export function dangerousName(file: AclFile, subject: Subject): string | undefined {
  if (file.patterns.length === 0) return undefined;
  if (subject.username !== undefined && /[+#]/.test(subject.username)) return `username "${subject.username}"`;
  return /[+#]/.test(subject.clientIdentifier) ? `client id "${subject.clientIdentifier}"` : undefined;
}

/** Whether rules allow to receive from or publish to a topic. The first that says so decides; a leading wildcard does not match `$`. */
export function allows(rules: readonly Rule[], access: 'read' | 'write', topicName: string): boolean {
  for (const rule of rules) {
    const decides = rule.access === 'deny' || rule.access === 'readwrite' || rule.access === access;
    if (decides && matchesFilter(topicName, rule.topicFilter)) return rule.access !== 'deny';
  }
  return false;
}
