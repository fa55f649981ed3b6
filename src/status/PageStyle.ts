/** The style of the live page: light and dark by the reader's preference, one column where it is narrow. */
export const style = String.raw`
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b1f24;--dim:#667080;--line:#e1e4ea;--accent:#d9480f;--free:#dfe3ea;--busy:#2f76d2;
--susp:#9a6fd6;--drain:#aab2be;--bad:#cc2936;--badbg:#fdecee;--ok:#2b8a3e;--warn:#b26a00;--boot:#e8a33d}
@media(prefers-color-scheme:dark){:root{--bg:#0f1216;--card:#171b21;--ink:#e4e8ee;--dim:#8c97a6;--line:#272d36;--accent:#ff7a3d;--free:#2c333d;--busy:#4c95f0;
--susp:#b18cf0;--drain:#5d6775;--bad:#ff6b74;--badbg:#321b1f;--ok:#57c46b;--warn:#f0b04f;--boot:#d8952f}}
*{box-sizing:border-box}
[hidden]{display:none!important}
body{margin:0;background:var(--bg);color:var(--ink);font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
header{display:flex;gap:.4rem 1rem;align-items:baseline;flex-wrap:wrap;padding:.75rem 1.25rem;border-bottom:1px solid var(--line);background:var(--card);
position:sticky;top:0;z-index:2}
h1{font-size:1.05rem;margin:0}
h1 b{color:var(--accent)}
#where{color:var(--dim);min-width:0;overflow-wrap:anywhere}
#live{margin-left:auto;white-space:nowrap;color:var(--dim)}
#live:before{content:"";display:inline-block;width:.6em;height:.6em;border-radius:50%;background:var(--ok);margin-right:.45em}
#live.off{color:var(--bad)}
#live.off:before{background:var(--bad)}
main{max-width:1280px;margin:0 auto;padding:1rem 1.25rem 3rem}
main.stale{opacity:.55}
.empty{color:var(--dim);padding:.35rem 0}
#none{padding:3rem 0;text-align:center}
.pool+.pool{margin-top:2.25rem}
.pool>h2{font-size:1.1rem;margin:.25rem 0 .75rem;display:flex;gap:.35rem .75rem;align-items:baseline;flex-wrap:wrap;overflow-wrap:anywhere}
.pool>h2 small{font-weight:400;color:var(--dim);font-size:.85rem}
.tag{font-size:.75rem;font-weight:600;border-radius:3px;padding:.05rem .4rem;background:var(--free)}
.tag.bad{background:var(--badbg);color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(118px,1fr));gap:.6rem;margin-bottom:.8rem}
.tile,.card{background:var(--card);border:1px solid var(--line);border-radius:8px}
.tile{padding:.5rem .75rem}
.tile span{color:var(--dim);font-size:.8rem;display:block}
.tile b{font-size:1.4rem;font-weight:600;font-variant-numeric:tabular-nums;white-space:nowrap}
.tile i{font-style:normal;color:var(--dim);font-size:.85rem}
.tile.hot b,.tile.noted i{color:var(--bad)}
.tile.warm b{color:var(--warn)}
.grid{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:.8rem}
.card{padding:.7rem .85rem .85rem;min-width:0}
.wide{grid-column:1/-1}
.card h3{margin:0 0 .5rem;font-size:.85rem;font-weight:600;display:flex;gap:.25rem .9rem;align-items:baseline;flex-wrap:wrap}
.card h3 span{font-weight:400;color:var(--dim);font-size:.78rem}
.key{display:inline-flex;align-items:center;gap:.3rem}
.key:before{content:"";width:.7em;height:.7em;border-radius:2px;background:var(--c)}
.strips{display:flex;flex-wrap:wrap;gap:6px;max-height:21rem;overflow:auto;padding:2px}
.strips.many{gap:4px}
.many .runner{padding:3px;gap:1px}
.many .runner i{width:7px;height:13px}
.many .runner i.bar{width:36px}
.banner{border:1px solid var(--bad);background:var(--badbg);border-radius:8px;padding:.6rem .85rem;margin-bottom:.8rem}
.banner b{color:var(--bad)}
.banner p{margin:.2rem 0 0;white-space:pre-wrap;overflow-wrap:anywhere;max-height:8.7em;overflow:auto;font-size:.9rem}
.runner{display:flex;gap:2px;padding:4px;border:1px solid var(--line);border-radius:5px;background:none;cursor:pointer;font:inherit}
.runner i{width:11px;height:18px;border-radius:2px;background:var(--free)}
.runner i.busy{background:var(--busy)}
.runner i.suspended{background:var(--susp)}
.runner i.stuck{background:var(--bad)}
.runner.draining i{background:var(--drain);opacity:.45}
.runner.draining i.busy,.runner.draining i.suspended{opacity:1}
.runner.booting i{background:repeating-linear-gradient(135deg,var(--boot) 0 3px,transparent 3px 6px)}
.runner.unresponsive{border-color:var(--bad);box-shadow:0 0 0 1px var(--bad)}
.runner.on{border-color:var(--accent);box-shadow:0 0 0 1px var(--accent)}
.runner:focus-visible{outline:2px solid var(--accent)}
.runner i.bar{width:64px;background:linear-gradient(to right,var(--busy) var(--u),var(--susp) var(--u) var(--s),var(--free) var(--s))}
.runner.booting i.bar{background:repeating-linear-gradient(135deg,var(--boot) 0 3px,transparent 3px 6px)}
.runner.draining i.bar{opacity:.6}
.one{border-top:1px solid var(--line);margin-top:.7rem;padding-top:.6rem}
.one p{margin:.15rem 0;overflow-wrap:anywhere}
svg{display:block;width:100%;height:92px}
.axis{display:flex;justify-content:space-between;color:var(--dim);font-size:.75rem;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{font-weight:500;color:var(--dim);font-size:.78rem;text-align:left;padding:.1rem .9rem .25rem 0;white-space:nowrap}
td{padding:.22rem .9rem .22rem 0;border-top:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap}
tr>:last-child{padding-right:0}
.name{overflow-wrap:anywhere;min-width:6rem}
.id{white-space:nowrap}
.bad{color:var(--bad)}
.dim{color:var(--dim)}
.boot{display:grid;grid-template-columns:minmax(5.5rem,9.5rem) 1fr auto;gap:.1rem .7rem;align-items:center;padding:.18rem 0}
.boot>span:first-child{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.track{display:flex;height:14px;min-width:0;border-radius:3px;overflow:hidden}
.track i{min-width:1px}
.track i.rest{background:repeating-linear-gradient(135deg,var(--boot) 0 4px,transparent 4px 8px)}
.track.failed{box-shadow:inset 0 0 0 1px var(--bad);background:var(--badbg)}
.boot em{grid-column:2/-1;font-style:normal;font-size:.8rem;overflow-wrap:anywhere;display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:3;overflow:hidden}
.fault{border-top:1px solid var(--line);padding:.4rem 0}
.fault:first-child{border-top:0;padding-top:0}
.fault p{margin:.15rem 0 0;white-space:pre-wrap;overflow-wrap:anywhere;max-height:11.6em;overflow:auto}
.log{max-height:13rem;overflow:auto;font-size:.82rem}
.log div{overflow-wrap:anywhere;padding:.06rem 0}
button,input{font:inherit;color:inherit}
.act{border:1px solid var(--line);background:var(--bg);border-radius:5px;padding:.1rem .6rem;cursor:pointer}
form{display:flex;gap:.3rem .5rem;align-items:center;flex-wrap:wrap;font-size:.85rem;font-weight:400}
form input{width:4.2rem;border:1px solid var(--line);border-radius:4px;background:var(--bg);padding:.05rem .3rem}
@media(max-width:760px){main,header{padding-left:.75rem;padding-right:.75rem}.grid{grid-template-columns:minmax(0,1fr)}.tiles{grid-template-columns:repeat(3,minmax(0,1fr));gap:.4rem}
.tile{padding:.4rem .55rem}.tile b{font-size:1.15rem}table{font-size:.8rem}th{font-size:.72rem}td,th{padding-right:.5rem}.name{min-width:4rem}}
@media(prefers-reduced-motion:no-preference){.runner.booting i{animation:p 1.4s ease-in-out infinite}@keyframes p{50%{opacity:.45}}}
`
