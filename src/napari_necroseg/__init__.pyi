from .core.case import Case as Case
from .core.case import Cohort as Cohort
from .core.case import Sequence as Sequence
from .core.cohort.find import find_cases as find_cases
from .core.cohort.load import load_case as load_case
from .core.cohort.table import read_cohort as read_cohort
from .core.config import PredictConfig as PredictConfig
from .core.config import TrainConfig as TrainConfig
from .core.config import train_preset as train_preset
from .core.config.study import StudyConfig as StudyConfig
from .core.events import run as run
from .core.images.save import save_mask as save_mask
from .core.network.model import load_model as load_model
from .core.prediction.predict import predict as predict
from .core.prediction.predict_cohort import predict_cohort as predict_cohort
from .core.scoring.files import score_files as score_files
from .core.scoring.scores import score_masks as score_masks
from .core.study.experiment import run_study as run_study
from .core.training.samples import draw_samples as draw_samples
from .core.training.start import train as train
from .core.volume import Grid as Grid
from .core.volume import Volume as Volume

__version__: str
