import { launch } from './browser.mjs';
const [,, out, only] = process.argv;
const url='http://127.0.0.1:18080';
const pages=[['overview','/'],['traffic','/?domain=traffic'],['sensors','/sensors'],['sensor','/sensors/cabinet-0001'],['air','/sensors/air-0001'],['pipeline','/pipeline']];
const b=await launch();
for (const [w,h] of [[1920,1080],[360,740]]) for (const scheme of ['light','dark']) {
  const c=await b.newContext({viewport:{width:w,height:h},colorScheme:scheme,deviceScaleFactor:1,isMobile:w<500,hasTouch:w<500});
  const p=await c.newPage();
  p.on('console',m=>{ if(['error','warning'].includes(m.type())) console.log(w,scheme,m.type(),m.text()); });
  p.on('pageerror',e=>console.log('pageerror',e.message));
  for (const [name,path] of pages) {
    if (only && only!==name) continue;
    await p.goto(url+path); await p.waitForTimeout(9000);
    await p.screenshot({path:`${out}/${name}-${w}-${scheme}.png`, fullPage: w<500 && name!=='x'});
    const over=await p.evaluate(()=>document.documentElement.scrollWidth-document.documentElement.clientWidth);
    if(over>0) console.log('horizontal overflow',name,w,over);
  }
  await c.close();
}
await b.close();
