import { describe, expect, it } from 'vitest';
import { nodeTlsCiphers as ciphers } from '../../../src/capture/node/tls-ciphers.ts';
import { findCipherSuite } from '../../../src/capture/tls/cipher-suites.ts';
import { expandLabel, pseudoRandom } from '../../../src/capture/tls/key-schedule.ts';
import { protectTls13 } from '../../../src/capture/tls/record-protection.ts';

function hex(digits: string): Uint8Array {
  return Uint8Array.from(Buffer.from(digits.replace(/\s/g, ''), 'hex'));
}

function digits(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

describe('keys of TLS 1.3', () => {
  // RFC 8448 §3, "Simple 1-RTT Handshake".
  it.each([
    [
      'server, handshake',
      'b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38',
      '3fce516009c21727d0f2e4e86ee403bc',
      '5d313eb2671276ee13000b30',
    ],
    [
      'client, handshake',
      'b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21',
      'dbfaa693d1762c5b666af5d950258d01',
      '5bd3c71b836e0b76bb73265f',
    ],
    [
      'server, application',
      'a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643',
      '9f02283b6c9c07efc26bb9f2ac92e356',
      'cf782b88dd83549aadf1e984',
    ],
    [
      'client, application',
      '9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5',
      '17422dda596ed5d9acd890e3c63f5051',
      '5b78923dee08579033e523d9',
    ],
  ])('are those of RFC 8448 §3: %s', (_, secret, key, initial) => {
    expect(digits(expandLabel(ciphers, 'sha256', hex(secret), 'key', 16))).toBe(key);
    expect(digits(expandLabel(ciphers, 'sha256', hex(secret), 'iv', 12))).toBe(initial);
  });

  it('open the record of RFC 8448 §3', () => {
    const secret = hex('9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5');
    const fragment = hex(`a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e
      2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4`);
    const protection = protectTls13(ciphers, findCipherSuite(0x1301)!, secret)!;
    const opened = protection.open(0, 23, 0x0303, fragment)!;
    expect(opened.contentType).toBe(23);
    expect(digits(opened.bytes)).toBe(digits(Uint8Array.from({ length: 50 }, (_, index) => index)));
    expect(protection.open(1, 23, 0x0303, fragment)).toBeUndefined();
    expect(protection.open(0, 22, 0x0303, fragment)).toBeUndefined();
    for (let length = 0; length < fragment.length; length++) {
      expect(protection.open(0, 23, 0x0303, fragment.subarray(0, length))).toBeUndefined();
    }
  });
});

describe('the PRF of TLS 1.2', () => {
  it('gives what the test vector of the TLS working group has for SHA-256', () => {
    const secret = hex('9bbe436ba940f017b17652849a71db35');
    const seed = hex('a0ba9f936cda311827a6f796ffd5198c');
    const expected = `e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af
      0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66`;
    expect(digits(pseudoRandom(ciphers, 'sha256', secret, 'test label', seed, 100))).toBe(digits(hex(expected)));
  });
});
