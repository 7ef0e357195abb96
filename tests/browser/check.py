"""Looks at a report in a real browser: Chromium, headless, with no network.

    check.py CHROMIUM REPORT.html [SCREENSHOTS]

At 1280 and 390 pixels, light and dark: the page logs no error, every plot shows lines of a size, no text of a
plot lies over another or outside, the page is no wider than the screen, and the screenshot holds each
line's colour. Exit 1, with the reasons, where one does not hold. SCREENSHOTS is a folder for the pictures.
"""

import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib

SCREENS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]

# Runs in a copy of the page, whose content policy lets this one script in; the page itself has none.
PROBE = """
addEventListener('error', event => { document.title = 'ERROR ' + event.message; });
addEventListener('load', () => {
  const found = { faults: [], plots: 0, colours: [], height: document.documentElement.scrollHeight };
  const seen = element => element.getClientRects().length > 0;
  const fault = words => found.faults.push(words);
  if (document.documentElement.scrollWidth > innerWidth)
    fault('the page is ' + document.documentElement.scrollWidth + ' wide on a screen of ' + innerWidth);
  for (const plot of document.querySelectorAll('svg.plot')) {
    if (!seen(plot)) continue;
    found.plots += 1;
    const name = plot.closest('figure').querySelector('figcaption').textContent;
    const frame = plot.getBoundingClientRect();
    const lines = [...plot.querySelectorAll('polyline')];
    if (!lines.length) fault(name + ': no line');
    for (const line of lines) {
      const box = line.getBoundingClientRect();
      if (box.width < 20) fault(name + ': a line of ' + box.width + ' pixels');
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
        fault(name + ': a line outside of its plot');
      found.colours.push(getComputedStyle(line).stroke);
    }
    const boxes = [...plot.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
    boxes.forEach(([words, box], at) => {
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1)
        fault(name + ': "' + words + '" outside of its plot');
      if (box.height < 9) fault(name + ': "' + words + '" is ' + box.height + ' pixels high');
      for (const [other, there] of boxes.slice(at + 1))
        if (box.left < there.right && there.left < box.right && box.top < there.bottom - 2 && there.top < box.bottom - 2)
          fault(name + ': "' + words + '" lies over "' + other + '"');
    });
  }
  for (const stack of document.querySelectorAll('td.stack')) {
    const widths = [...stack.querySelectorAll('rect')].map(rect => rect.getBoundingClientRect().width);
    if (!widths.some(width => width > 0)) fault('an empty bar beside ' + stack.closest('tr').textContent);
  }
  document.documentElement.setAttribute('data-found', JSON.stringify(found));
});
"""


def chromium(browser, page, width, scheme, *options, height=1200):
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars",
            f"--user-data-dir={profile}", f"--window-size={width},{height}", "--enable-logging=stderr",
            f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}", *options, page,
        ]  # fmt: skip
        ran = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    if ran.returncode != 0:
        sys.exit(f"{browser} failed: {ran.stderr[-2000:]}")
    return ran.stdout, [line for line in ran.stderr.splitlines() if ":CONSOLE" in line]


def pixels(path):
    """The colours of a PNG of eight bits a channel, without its alpha."""
    with open(path, "rb") as file:
        data = file.read()
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            assert depth == 8 and colour in (2, 6), (depth, colour)
        elif kind == b"IDAT":
            packed += body
        at += size + 12
    channels = 4 if colour == 6 else 3
    raw, stride, before, found = zlib.decompress(packed), width * channels, bytes(width * channels), set()
    for row in range(height):
        start = row * (stride + 1)
        line = bytearray(raw[start + 1 : start + 1 + stride])
        unfilter(raw[start], line, before, channels)
        before = bytes(line)
        found.update(zip(line[0::channels], line[1::channels], line[2::channels]))
    return found


def unfilter(kind, line, before, channels):
    for at in range(len(line)) if kind else ():
        left = line[at - channels] if at >= channels else 0
        up = before[at]
        corner = before[at - channels] if at >= channels else 0
        if kind == 4:
            guess = left + up - corner
            near = [(abs(guess - side), place, side) for place, side in enumerate((left, up, corner))]
            line[at] = (line[at] + min(near)[2]) & 255
        else:
            line[at] = (line[at] + {1: left, 2: up, 3: (left + up) // 2}[kind]) & 255


def probed(page):
    """The page with the probe, and a content policy that admits it."""
    policy = re.compile(r"default-src 'none';")
    assert policy.search(page), "the page has no content policy"
    assert "<script" not in page, "the page has a script"
    page = policy.sub("default-src 'none'; script-src 'unsafe-inline';", page, count=1)
    return page.replace("</head>", f"<script>{PROBE}</script></head>", 1)


def main(browser, report, pictures):
    faults = []
    with open(report, encoding="utf-8") as file:
        page = file.read()
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "probed.html")
        with open(copy, "w", encoding="utf-8") as file:
            file.write(probed(page))
        for width, scheme in SCREENS:
            screen = f"{width} {scheme}"
            shown, said = chromium(browser, f"file://{copy}", width, scheme, "--dump-dom")
            found = re.search(r'data-found="([^"]*)"', shown)
            if not found:
                faults.append(f"{screen}: the page was not shown to its end: {said}")
                continue
            found = json.loads(found[1].replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
            faults += [f"{screen}: {fault}" for fault in found["faults"]]
            if not found["plots"]:
                faults.append(f"{screen}: no plot is shown")
            picture = os.path.join(pictures or folder, f"{width}-{scheme}.png")
            height = min(found["height"] + 20, 16000)
            _, said = chromium(browser, f"file://{os.path.abspath(report)}", width, scheme, f"--screenshot={picture}", height=height)
            faults += [f"{screen}: {line}" for line in said]
            there = pixels(picture)
            for colour in sorted(set(found["colours"])):
                if tuple(int(part) for part in re.findall(r"\d+", colour)[:3]) not in there:
                    faults.append(f"{screen}: no pixel has the line colour {colour}")
            print(f"{screen}: {found['plots']} plots, {len(set(found['colours']))} line colours")
    for fault in faults:
        print(f"FAULT {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) == 4 else None))
