/**
 * Says it clearly when Node is too old. Written in syntax that old releases can read, and imported before anything else is.
 */
var oldest = 20;

if (Number(process.versions.node.split('.')[0]) < oldest) {
  console.error(
    'Clearwing needs Node ' +
      oldest +
      ' or newer; this is Node ' +
      process.versions.node +
      ' (' +
      process.execPath +
      ').',
  );
  process.exit(1);
}
