// The bundler takes page.css out of the script's imports.
declare module '*.css';
