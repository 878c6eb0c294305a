import{createRequire as offhookRequire}from'node:module';const require=offhookRequire(import.meta.url);
function r(){return{now:()=>performance.now(),wall:()=>Date.now(),after(o,t){let e=setTimeout(t,o);return()=>clearTimeout(e)}}}export{r as a};
