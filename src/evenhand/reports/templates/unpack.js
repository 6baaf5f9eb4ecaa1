"use strict";
// Text that the page holds packed, gzipped and in base64, to keep the file small.
async function unpacked(id) {
  const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (sign) => sign.charCodeAt(0));
  const source = new ReadableStream({ start(to) { to.enqueue(packed); to.close(); } });
  return new Response(source.pipeThrough(new DecompressionStream("gzip"))).text();
}

// The page's own elements, made without any HTML text: names of items are never read as markup.
function element(name, attributes, ...inside) {
  const made = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...inside);
  return made;
}
