import{createRequire as offhookRequire}from'node:module';const require=offhookRequire(import.meta.url);
import{a as n}from"./chunk-F5JKCA4R.js";import{a as o}from"./chunk-VPZIV5LJ.js";import"./chunk-I47F4LGN.js";function m(){let e=n({clock:o()}).list(),i=Math.max(...e.map(t=>t.name.length)),s=t=>t.input&&t.output?"both ways":t.input?"microphone":"loudspeaker";return e.map(t=>`${t.name.padEnd(i)}  ${s(t).padEnd(11)}  ${t.description}
`).join("")}export{m as listDevices};
