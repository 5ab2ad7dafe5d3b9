// web-push-testing, a push service that is not ours, as it is: on the port that is given.
import Model from 'web-push-testing/src/PushApiModel.js';
import Server from 'web-push-testing/src/server.js';

new Server(new Model.PushApiModel(), Number(process.argv[2])).startServer();
