import { Heading } from "./heading";

export default function NotFound() {
	return <Heading>Not Found</Heading>;
}
