"""What is taken of scikit-learn, in one place: without it a sentence names the extra."""

try:
    from sklearn.base import BaseEstimator as BaseEstimator
    from sklearn.base import ClassifierMixin as ClassifierMixin
    from sklearn.base import RegressorMixin as RegressorMixin
    from sklearn.metrics import r2_score as r2_score
    from sklearn.model_selection import train_test_split as train_test_split
    from sklearn.utils import check_random_state as check_random_state
    from sklearn.utils import compute_class_weight as compute_class_weight
    from sklearn.utils.multiclass import check_classification_targets as check_classification_targets
    from sklearn.utils.validation import check_is_fitted as check_is_fitted
    from sklearn.utils.validation import column_or_1d as column_or_1d
    from sklearn.utils.validation import validate_data as validate_data
except ImportError as error:
    wanted = "cynet.sklearn needs scikit-learn, 1.6 or newer"
    raise ImportError(f"{wanted}, which is an extra: pip install 'cynet[sklearn]'") from error
