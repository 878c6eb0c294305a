var e=class extends Error{constructor(r,s,n){super(s,n===void 0?void 0:{cause:n}),this.name="PhoneError",this.code=r}};export{e as PhoneError};
