// Starts the page.

import { render } from 'preact';

import { Page } from './page';
import { Shell } from './shell';

const root = document.getElementById('page');
if (root === null) throw new Error('index.html has no #page');

const page = new Page(() => render(<Shell page={page} />, root));
page.begin();
