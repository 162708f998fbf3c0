/** The load could not be driven: the broker refused something, said what MQTT forbids, or went away. */
export class LoadError extends Error {
  override readonly name = 'LoadError';
}
