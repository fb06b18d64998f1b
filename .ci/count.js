// Adds up the reports of the suites named, and refuses one that is missing or has skipped a test.
import { readFileSync, writeFileSync } from "node:fs";

const [, , folder, ...suites] = process.argv;
const total = { passed: 0, failed: 0 };
for (const suite of suites) {
	try {
		const report = JSON.parse(readFileSync(`${folder}/${suite}.json`, "utf8"));
		const skipped = report.numPendingTests + report.numTodoTests;
		console.log(
			`${suite}: ${report.numPassedTests} passed, ${report.numFailedTests} failed, ${skipped} skipped`,
		);
		total.passed += report.numPassedTests;
		total.failed += report.numFailedTests;
		if (!report.success || skipped > 0 || report.numPassedTests === 0) process.exitCode = 1;
	} catch (error) {
		console.log(`${suite}: no report (${error.code ?? error.message})`);
		process.exitCode = 1;
	}
}
writeFileSync(`${folder}/count.txt`, `${total.passed} passed, ${total.failed} failed\n`);
