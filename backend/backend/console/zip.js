/** A zip file of blobs, stored as they are: pictures are packed already. At most 4 GB. */

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});
const UTF8 = 0x0800;
const DAY = 0x21; // 1980-01-01, the first that the format knows

/**
 * @param entries `[{name, blob}]`; a name that is there already gets a number
 * @returns a Blob
 */
export async function zipped(entries) {
  const [files, directory, names] = [[], [], new Set()];
  let offset = 0;
  for (const { name, blob } of entries) {
    const path = new TextEncoder().encode(unused(name, names));
    const common = [[2, 20], [2, UTF8], [2, 0], [2, 0], [2, DAY], [4, await crc32(blob)], [4, blob.size], [4, blob.size], [2, path.length], [2, 0]];
    const head = packed([[4, 0x04034b50], ...common]);
    directory.push(packed([[4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]), path);
    files.push(head, path, blob);
    offset += head.length + path.length + blob.size;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = packed([[4, 0x06054b50], [2, 0], [2, 0], [2, entries.length], [2, entries.length], [4, size], [4, offset], [2, 0]]);
  return new Blob([...files, ...directory, end], { type: "application/zip" });
}

function unused(name, names) {
  let free = name;
  for (let number = 2; names.has(free); number++) free = name.replace(/(\.[^.]*)?$/, `-${number}$1`);
  names.add(free);
  return free;
}

async function crc32(blob) {
  let crc = 0xffffffff;
  for (const byte of new Uint8Array(await blob.arrayBuffer())) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function packed(fields) {
  const bytes = new Uint8Array(fields.reduce((sum, [size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return bytes;
}
