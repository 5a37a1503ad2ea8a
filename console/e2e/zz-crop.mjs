import { launch } from './browser.mjs';
const [,, path, out, w, h, y, scheme] = process.argv;
const b=await launch();
const c=await b.newContext({viewport:{width:+w,height:+h},colorScheme:scheme??'light',deviceScaleFactor:1,isMobile:+w<500,hasTouch:+w<500});
const p=await c.newPage();
await p.goto('http://127.0.0.1:18080'+path); await p.waitForTimeout(5000);
await p.screenshot({path:out,fullPage:true,clip:{x:0,y:+y,width:+w,height:+h}});
console.log(await p.evaluate(()=>document.documentElement.scrollHeight));
await b.close();
