# gunicorn says READY=1 before it has workers, and a worker that is told to end while
# it is being born does not hear it (as of 20.1): it serves on until it is killed.
# That all of them hear is what this says.
import multiprocessing

workers = 4
born = multiprocessing.Value("i", 0)


def post_worker_init(worker):
    with born.get_lock():
        born.value += 1
        if born.value == workers:
            worker.log.info("all workers serve")
