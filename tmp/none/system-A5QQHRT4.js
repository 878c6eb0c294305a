import{createRequire as offhookRequire}from'node:module';const require=offhookRequire(import.meta.url);
import{a}from"./chunk-F5JKCA4R.js";import"./chunk-I47F4LGN.js";export{a as createAudioSystem};
