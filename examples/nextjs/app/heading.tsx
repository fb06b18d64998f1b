/** The heading of a page, which is also its title. */
export const Heading = ({ children }: { children: string }) => (
	<>
		<title>{children}</title>
		<h1>{children}</h1>
	</>
);
