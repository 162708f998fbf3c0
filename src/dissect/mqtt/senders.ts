/** Which end sends which packets. [MQTT 5.0 §2.1.2] */

const byClient = (1 << 1) | (1 << 8) | (1 << 10) | (1 << 12);
const byServer = (1 << 2) | (1 << 9) | (1 << 11) | (1 << 13);

export function senderOf(packetType: number): 'client' | 'server' | 'either' {
  const bit = 1 << packetType;
  return (byClient & bit) !== 0 ? 'client' : (byServer & bit) !== 0 ? 'server' : 'either';
}
