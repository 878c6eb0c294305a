// Debian's Chromium, driven by playwright-core: one page that keeps what it complains of.

import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chromium, type Page } from 'playwright-core';

const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const PICTURES = resolve(import.meta.dirname, '../../../build/screenshots');

export interface Visitor {
  readonly page: Page;
  /** Errors of the page's script and what the browser wrote to its console as an error. */
  readonly complaints: readonly string[];
  /** Keep a picture in build/screenshots, as wide as a desktop and as a telephone. */
  picture(name: string): Promise<void>;
  close(): Promise<void>;
}

const DESKTOP = { width: 1_200, height: 860 };
const TELEPHONE = { width: 390, height: 844 };

/** CHROMIUM in the environment names another program. */
export async function openBrowser(): Promise<Visitor> {
  const browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ARGS });
  const page = await browser.newPage({ viewport: DESKTOP });
  page.setDefaultTimeout(15_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  mkdirSync(PICTURES, { recursive: true });
  return {
    page,
    complaints,
    async picture(name) {
      for (const [width, size] of [['desktop', DESKTOP], ['phone', TELEPHONE]] as const) {
        await page.setViewportSize(size);
        await page.screenshot({ path: join(PICTURES, `${name}-${width}.png`), fullPage: true });
      }
      await page.setViewportSize(DESKTOP);
    },
    close: () => browser.close(),
  };
}
