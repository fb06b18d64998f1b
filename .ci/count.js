// Adds up the reports of the given suites, and lists what failed. Fails if a report is missing, or a test
// failed or was skipped.
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
		for (const { name, message, assertionResults } of report.testResults) {
			// A file that failed as a whole has no tests.
			if (assertionResults.length === 0) console.log(`  ${name}: ${message}`);
			for (const { status, fullName, failureMessages } of assertionResults) {
				if (status !== "failed") continue;
				const [reason = ""] = failureMessages;
				console.log(`  ${fullName}: ${reason.split("\n").slice(0, 12).join("\n    ")}`);
			}
		}
		total.passed += report.numPassedTests;
		total.failed += report.numFailedTests;
		if (!report.success || skipped > 0 || report.numPassedTests === 0) process.exitCode = 1;
	} catch (error) {
		console.log(`${suite}: no report (${error.code ?? error.message})`);
		process.exitCode = 1;
	}
}
writeFileSync(`${folder}/count.txt`, `${total.passed} passed, ${total.failed} failed\n`);
