import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { format, resolveConfig } from "prettier";
import { ReflectionKind } from "typedoc";

// `npm run docs` writes docs/reference.md from the docstrings: one page, with every export of every entry point.

const PAGE = "docs/reference.md";
const INTRO = `# Reference

\`npm run docs\` writes this page from the docstrings. It has every export of every entry point.`;

const { name: packageName, exports } = JSON.parse(readFileSync("package.json", "utf8"));
const entries = Object.keys(exports)
	.filter((path) => path !== "./package.json")
	.map((path) => {
		const source = { ".": "index", "./testing": "testing" }[path] ?? path.replace(".", "stores");
		return { title: path.replace(".", packageName), source };
	});

// They declare what other names export, such as the options of each store.
const SHARED = ["options", "stores/sql"];

const style = await resolveConfig(PAGE);

const toText = (parts) => parts.map(({ text }) => text).join("");
const summaryOf = ({ comment }) => (comment ? toText(comment.summary).trim() : "");
const tagsOf = ({ comment }, name) =>
	comment?.blockTags.filter(({ tag }) => tag === name).map(({ content }) => toText(content)) ?? [];
const toItem = (...parts) => `- ${parts.filter(Boolean).join(": ").replace(/\s+/g, " ")}`;
const toBlock = (code) => `\`\`\`ts\n${code}\n\`\`\``;

const typed = ({ name, flags, defaultValue }, type) =>
	`${flags.isRest ? "..." : ""}${name}${flags.isOptional || defaultValue ? "?" : ""}: ${type}`;

const callOf = ({ signatures, type }) => (signatures ?? type?.declaration?.signatures)?.[0];

const toSignature = async (title, call, aliases) => {
	const parameters = (call.parameters ?? []).map((one) =>
		typed(one, aliases.get(one.type.name) ?? one.type),
	);
	const code = `function f(${parameters.join(", ")}): ${call.type};`;
	const formatted = await format(code, { ...style, parser: "typescript" });
	return toBlock(formatted.trim().replace("function f", title));
};

/** What a function or method does, takes, returns, and throws. */
const describeCall = async (member, title, aliases = new Map()) => {
	const call = callOf(member);
	// The docstring of a property that is a function stands at the property, but for what it returns.
	const tags = (name) => [member, call].flatMap((one) => tagsOf(one, name));
	const parameters = call.parameters ?? [];
	return [
		summaryOf(member) || summaryOf(call),
		await toSignature(title, call, aliases),
		[
			...parameters.filter(summaryOf).map((one) => toItem(`\`${one.name}\``, summaryOf(one))),
			...tags("@returns").map((text) => toItem(`Returns ${text}`)),
			...tags("@throws").map((text) => toItem(text.replace(/^\w+/, "Throws `$&`:"))),
		].join("\n"),
		...tags("@deprecated").map((text) => `Deprecated: ${text}.`),
		...tags("@example"),
	];
};

const describeField = (field) => {
	const getter = field.getSignature ?? field;
	const [preset] = tagsOf(field, "@default");
	const text = preset && ` Default: ${preset.replace(/^```ts\n|\n```$/g, "")}.`;
	return toItem(`\`${typed(field, getter.type)}\``, `${summaryOf(getter)}${text ?? ""}`);
};

const describeMembers = async (members) => {
	const [calls, fields] = [members.filter(callOf), members.filter((member) => !callOf(member))];
	const sections = calls.map(async (member) => {
		const title =
			member.kind === ReflectionKind.Constructor ? `new ${callOf(member).name}` : member.name;
		const isOptional = member.flags.isOptional ? " (optional)" : "";
		return [`#### ${title}()${isOptional}`, ...(await describeCall(member, title))];
	});
	return [fields.map(describeField).join("\n"), ...(await Promise.all(sections)).flat()];
};

const describeType = async (one, target, publicNames) => {
	const { children, type, extendedTypes = [] } = target;
	const members = children ?? (type.typeArguments?.[0] ?? type).declaration?.children;
	// What it inherits from a type that is not on the page is its own.
	const own = members?.filter(
		({ name, inheritedFrom }) =>
			!name.startsWith("[") && !publicNames.has(inheritedFrom?.name.split(".")[0]),
	);
	const parents = extendedTypes.filter(({ name }) => publicNames.has(name));
	return [
		`### ${one.name}`,
		`${summaryOf(one)}${parents.map((parent) => ` It extends \`${parent}\`.`).join("")}`,
		...(own ? await describeMembers(own) : [toBlock(`type ${one.name} = ${type};`)]),
		...tagsOf(one, "@example"),
	];
};

const resolve = (one) => (one.isReference() ? one.getTargetReflectionDeep() : one);

const describeEntry = async ({ title, source }, modules, publicNames) => {
	const members = modules.get(source);
	const aliases = new Map(
		members
			.filter(({ type }) => type?.name && !type.typeArguments)
			.map(({ name, type }) => [type.name, name]),
	);
	const parts = members.map(async (one) => {
		if (one.kind === ReflectionKind.Function) {
			return [`### ${one.name}()`, ...(await describeCall(one, one.name, aliases))];
		}
		const target = one.type?.reflection;
		const isAlias = target && !one.type.typeArguments && !publicNames.has(target.name);
		return describeType(one, isAlias ? target : one, publicNames);
	});
	return [`## ${title}`, ...(await Promise.all(parts)).flat()];
};

const writePage = async (path, project) => {
	const modules = new Map(
		project.children.map(({ name, children }) => [name, children.map(resolve)]),
	);
	const publicNames = new Set(
		entries.flatMap(({ source }) => modules.get(source)).map(({ name }) => name),
	);
	const sections = await Promise.all(
		entries.map((entry) => describeEntry(entry, modules, publicNames)),
	);
	const page = [INTRO, ...sections.flat()].filter(Boolean).join("\n\n");
	await writeFile(path, await format(page, { ...style, parser: "markdown", proseWrap: "always" }));
};

export default {
	entryPoints: [...entries.map(({ source }) => source), ...SHARED].map((name) => `src/${name}.ts`),
	out: PAGE,
	plugin: [
		(app) => {
			app.outputs.addOutput("reference", writePage);
			app.outputs.setDefaultOutputName("reference");
		},
	],
	excludeExternals: true,
	disableSources: true,
	readme: "none",
	sort: ["kind", "source-order"],
	kindSortOrder: ["Function", "Variable", "Class", "Interface", "TypeAlias"],
	// `npm run check:types` does that.
	skipErrorChecking: true,
	intentionallyNotExported: ["Alphabet", "AtRest", "Secrets"],
	treatWarningsAsErrors: true,
};
