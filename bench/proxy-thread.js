import { connect, createServer } from "node:net";
import { performance } from "node:perf_hooks";
import { parentPort, workerData } from "node:worker_threads";

const { host, port, delay, counts } = workerData;

// Each piece arrives `delay` after it was sent, on its own and in its turn.
const forward = (from, to, onData) => {
	const onTheWay = [];
	let waiting = false;
	// In turns of the event loop, since a timer knows whole milliseconds only.
	const arrive = () => {
		waiting = onTheWay.length > 0;
		if (!waiting) return;
		if (onTheWay[0].due <= performance.now()) {
			const { piece } = onTheWay.shift();
			if (piece) to.write(piece);
			else to.end();
		}
		setImmediate(arrive);
	};
	const send = (piece) => {
		onTheWay.push({ piece, due: performance.now() + delay });
		if (!waiting) arrive();
	};
	from.on("data", (piece) => {
		onData();
		send(piece);
	});
	from.on("end", () => send(null));
	from.on("error", () => to.destroy());
};

const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
	const remote = connect({ host, port, noDelay: true, allowHalfOpen: true });
	let asking = false;
	forward(client, remote, () => {
		if (!asking) Atomics.add(counts, 0, 1);
		asking = true;
	});
	forward(remote, client, () => {
		asking = false;
	});
});
server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
