import { describe, expect, it } from 'vitest';
import { AccessFileError } from '../../../src/broker/access/access-file-error.ts';
import { allows, readAclFile, rulesFor } from '../../../src/broker/access/acl-file.ts';
import { temporaryFiles } from '../config/temporary.ts';

function read(text: string) {
  return readAclFile(temporaryFiles().write('acl', text));
}

function ask(text: string, username: string | undefined, clientIdentifier = 'id') {
  const rules = rulesFor(read(text), { username, clientIdentifier });
  return {
    read: (topicName: string) => allows(rules, 'read', topicName),
    write: (topicName: string) => allows(rules, 'write', topicName),
  };
}

describe('readAclFile', () => {
  it('reads users, topics, patterns, accesses, blanks and comments', () => {
    const file = read(
      [
        '# everybody without a name',
        'topic read a b/c ',
        ' topic\tdeny  d/# ',
        'topic read',
        '',
        'user  Jürgen Müller ',
        'topic x',
        'topic write y',
        'user eve',
        'topic deny z',
        'user Jürgen Müller',
        'topic deny y/1',
        'pattern readwrite %u/%c/#',
      ].join('\r\n'),
    );
    expect(file.anonymous).toEqual([
      { access: 'deny', topicFilter: 'd/#' },
      { access: 'read', topicFilter: 'a b/c' },
      { access: 'readwrite', topicFilter: 'read' },
    ]);
    expect([...file.users]).toEqual([
      [
        'Jürgen Müller',
        [
          { access: 'deny', topicFilter: 'y/1' },
          { access: 'readwrite', topicFilter: 'x' },
          { access: 'write', topicFilter: 'y' },
        ],
      ],
      ['eve', [{ access: 'deny', topicFilter: 'z' }]],
    ]);
    expect(file.patterns).toEqual([{ access: 'readwrite', topicFilter: '%u/%c/#' }]);
    expect(file.warnings).toEqual([]);
  });

  it.each([
    ['topic', 'Empty topic at acl:1.'],
    ['topic a\n\npattern', 'Empty topic at acl:3.'],
    ['topic reed a', 'Invalid topic access type "reed"; expected read, write, readwrite or deny at acl:1.'],
    ['topic read a+', 'Invalid ACL topic "a+" at acl:1.'],
    ['topic a/#/b', 'Invalid ACL topic "a/#/b" at acl:1.'],
    ['user', 'Missing username at acl:1.'],
    ['allow a', 'Invalid line "allow"; expected user, topic or pattern at acl:1.'],
  ])('refuses %j', (text, message) => {
    const files = temporaryFiles();
    const path = files.write('acl', text);
    let error: unknown;
    try {
      readAclFile(path);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(AccessFileError);
    expect((error as Error).message.replace(path, 'acl')).toBe(message);
  });

  it('warns of a pattern in which nothing is filled in, and names a file that cannot be read', () => {
    const files = temporaryFiles();
    const path = files.write('acl', 'pattern read all/#\n');
    expect(readAclFile(path).warnings).toEqual([`ACL pattern "all/#" at ${path}:1 does not contain %c or %u.`]);
    expect(() => readAclFile('/nowhere/acl')).toThrow(
      'Unable to open acl_file /nowhere/acl: no such file or directory.',
    );
  });
});

describe('rules', () => {
  it('of an empty file allow nothing', () => {
    expect(ask('', undefined).read('a')).toBe(false);
    expect(ask('', 'ben').write('a')).toBe(false);
  });

  it('without a user are for anonymous clients only', () => {
    const text = 'topic read a\nuser ben\ntopic write b\n';
    expect(ask(text, undefined).read('a')).toBe(true);
    expect(ask(text, undefined).write('a')).toBe(false);
    expect(ask(text, 'ben').read('a')).toBe(false);
    expect(ask(text, 'ben').write('b')).toBe(true);
    expect(ask(text, 'eve').read('a')).toBe(false);
  });

  it('that deny go before those that allow, wherever they stand', () => {
    const client = ask('topic readwrite a/#\ntopic deny a/secret/+\n', undefined);
    expect(client.read('a/b')).toBe(true);
    expect(client.read('a/secret/1')).toBe(false);
    expect(client.read('a/secret')).toBe(true);
  });

  it('with a leading wildcard do not give topics that begin with $', () => {
    const client = ask('topic #\ntopic +/x\ntopic $SYS/broker/uptime\n', undefined);
    expect(client.read('a/x')).toBe(true);
    expect(client.read('$SYS/broker/uptime')).toBe(true);
    expect(client.read('$SYS/broker/version')).toBe(false);
    expect(client.read('$foo/x')).toBe(false);
  });

  it('of patterns are filled in with the client’s names and come after its own', () => {
    const text = 'user ben\ntopic write own\npattern write %u/%c/+\npattern deny own\npattern read dev-%c/#\n';
    expect(ask(text, 'ben', 'c1').write('ben/c1/x')).toBe(true);
    expect(ask(text, 'ben', 'c1').write('ben/c2/x')).toBe(false);
    expect(ask(text, 'ben', 'c1').write('own')).toBe(true);
    expect(ask(text, 'ben', 'c1').read('dev-c1/x')).toBe(true);
    expect(ask(text, 'eve', 'c1').write('own')).toBe(false);
    expect(ask(text, undefined, 'c1').write('/c1/x')).toBe(false);
    expect(ask(text, undefined, 'c1').read('dev-c1')).toBe(true);
  });

  it('of patterns are not for clients whose names have wildcards', () => {
    const text = 'topic read open\npattern read c/%c\npattern read all\n';
    for (const name of ['+', 'a#', '+/x']) {
      expect(ask(text, undefined, name).read('c/abc')).toBe(false);
      expect(ask(text, undefined, name).read('all')).toBe(false);
      expect(ask(text, undefined, name).read('open')).toBe(true);
    }
    expect(ask(text, 'a+', 'x').read('all')).toBe(false);
    expect(ask(text, 'a', '$&').read('c/$&')).toBe(true);
    expect(ask(text, 'a', '%u').read('c/%u')).toBe(true);
  });
});
