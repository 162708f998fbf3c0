import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { loadConfiguration } from '../../../src/broker/config/load.ts';
import { describeWithPeer, peerPath } from '../../support/peers.ts';
import { temporaryFiles } from './temporary.ts';

/** A key that nobody knows, put last: a program that complains about it has accepted everything before it. */
const last = 'end_of_file_reached';

function isAcceptedByMosquitto(text: string): boolean {
  const file = temporaryFiles().write('broker.conf', `${text}\n${last} 1\n`);
  const { status, stderr } = spawnSync(peerPath('mosquitto'), ['-c', file], { encoding: 'utf8' });
  expect(status).toBe(3);
  return stderr.includes(`Unknown configuration variable "${last}"`);
}

function isAcceptedByUs(text: string): boolean {
  const file = temporaryFiles().write('broker.conf', `${text}\n${last} 1\n`);
  try {
    loadConfiguration(file);
  } catch (error) {
    return (error as Error).message.startsWith(`Unknown configuration variable "${last}"`);
  }
  throw new Error('an unknown key was accepted');
}

describeWithPeer('mosquitto', 'mosquitto and this parser agree', () => {
  it.each([
    'listener 1883',
    'listener 1883 127.0.0.1',
    'listener 1883 127.0.0.1 more',
    'listener 1883 #comment',
    'listener 0 /tmp/x.sock',
    'listener 0',
    'listener 65536',
    'listener',
    'port 0',
    'port 1\nport 2',
    '  allow_anonymous true',
    'allow_anonymous 1',
    'allow_anonymous yes',
    'allow_anonymous true # comment',
    'allow_anonymous',
    'sys_interval -1',
    'sys_interval 65535',
    'sys_interval 65536',
    'max_inflight_messages -5',
    'max_inflight_messages 65535',
    'max_inflight_messages 65536',
    'max_queued_messages -1',
    'max_packet_size 0',
    'max_packet_size 19',
    'max_packet_size 20',
    'max_keepalive 65536',
    'message_size_limit 268435455',
    'message_size_limit 268435456',
    'memory_limit -1',
    'max_qos 2',
    'max_qos 3',
    'maximum_qos 1',
    'max_topic_alias 65535',
    'max_topic_alias 65536',
    'max_connections -7',
    'mount_point x',
    'listener 1\nmount_point x',
    'listener 1\nmount_point x/#',
    'persistent_client_expiration 14d',
    'persistent_client_expiration 14',
    'persistent_client_expiration 0d',
    'password_file a\npassword_file b',
    'password_file a\nlistener 1\npassword_file b',
    'per_listener_settings true\npassword_file a\nlistener 1\npassword_file b',
    'allow_anonymous true\nper_listener_settings true',
    'per_listener_settings true\nallow_anonymous true',
    'log_type all',
    'log_type nothing',
    'log_dest stdout\nlog_dest topic\nlog_dest none',
    'log_dest file /tmp/a\nlog_dest file /tmp/b',
    'log_dest file',
    'log_dest elsewhere',
    'log_facility 7',
    'log_facility 8',
    'log_timestamp_format',
    'log_timestamp_format %Y %m',
    'socket_domain ipv6',
    'socket_domain ipv5',
    'protocol websockets',
    'protocol mqttsn',
    'auto_id_prefix',
    'include_dir /nowhere',
    'include_dir',
    'websockets_headers_size 65536',
    'persistence true\npersistence_location /tmp\nautosave_interval 10',
    'persistence maybe',
    'cafile /nowhere\ncertfile /nowhere\nkeyfile /nowhere',
    'connection b\naddress 127.0.0.1:1\ntopic # both 2 a/ b/\nstart_type lazy',
    'connection b\nstart_type manual',
    'retry_interval 10',
    'nonsense',
  ])('on %j', (text) => {
    expect(isAcceptedByUs(text)).toBe(isAcceptedByMosquitto(text));
  });
});
