// The raw bytes of what was refused, as text and as hexadecimal.

export function decodeBase64(text: string): Uint8Array {
  const binary = atob(text);
  return Uint8Array.from(binary, (c) => c.charCodeAt(0));
}

/** Mostly readable characters, and valid UTF-8? Then text is the better first view. */
export function asText(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    // Control characters other than tab and line breaks say that these bytes were not meant to be read.
    // eslint-disable-next-line no-control-regex
    return /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Lays JSON out on lines; anything else stays as it is. */
export function layOut(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

export interface HexLine {
  offset: string;
  hex: string;
  text: string;
}

/** Sixteen bytes a line, the unreadable ones as dots. */
export function hexLines(bytes: Uint8Array): HexLine[] {
  const lines: HexLine[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.subarray(at, at + 16)];
    lines.push({
      offset: at.toString(16).padStart(6, '0'),
      hex: part.map((b) => b.toString(16).padStart(2, '0')).join(' '),
      text: part.map((b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : '·')).join(''),
    });
  }
  return lines;
}
