import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_necroseg.core.cohort.file_names import (
    FileRole,
    Kind,
    is_role_name,
    judge,
    role_of,
    tokens_of,
    words_of,
)

CET1 = """
ceT1 CET1 ceT1w T1ce T1CE t1c T1C T1_Gd t1gd T1-KM T1wCE T1w_CE T1+C t1w+c T1+KM T1_contrast
ce_T1w CE-T1-sag T1_post_contrast postContrastT1 t1_postGd post-contrast postcontrast
contrast-enhanced T1_sag_tse_fs_Gd T1_Kontrastmittel 20240131_T1_Gd_s05 T1ce_post_RFA
T1_enhanced
"""
NATIVE_T1 = """
T1 t1w T1_tse_sag T1_nativ native_T1 T1_plain t1n T1_non_contrast noncontrast_T1
T1_without_contrast T1_ohne_KM T1_no_Gd T1_unenhanced T1_pre_contrast T1preGd T1-C T1_C
T1_post_RFA
"""
T2 = """
T2 t2w T2W T2_tse_sag sagT2 T2_dixon T2_post_RFA case_L3_T2
"""
REFERENCE = """
mask label labels seg segmentation roi necrosis Nekrose necrosis_mask necrosisMask ablation_zone
ablationZone ablation_mask reference T2_mask ceT1_seg mask_v2 manual_segmentation groundtruth
necrosis_Miller
"""
TUMOUR = """
tumour tumor metastasis Metastase lesion met tumour_mask lesion1_seg T1ce_tumor gtv T2_lesion2
"""
OTHER_IMAGES = """
flair t2f T2_FLAIR T2star STIR T2_stir T1_subtraction T1_map dwi ADC
"""
OTHER_MASKS = """
vertebrae_mask brain_mask cord-seg spine_label case_probability necrosis_prediction mask_old
"""
SILENT = """
vertebrae image IMG_0001 T12 ablation km T2* scan L3 Th12 c 1 -
"""


def judged(name: str) -> FileRole | None:
    return judge(tokens_of(name)).role


@pytest.mark.parametrize("name", CET1.split())
def test_t1_with_contrast_is_cet1(name: str) -> None:
    assert judged(name) is FileRole.CET1


@pytest.mark.parametrize("name", NATIVE_T1.split())
def test_t1_without_contrast_is_never_cet1(name: str) -> None:
    verdict = judge(tokens_of(name))
    assert verdict.role is FileRole.NATIVE_T1
    assert verdict.reason.startswith("looks like a T1 without contrast")


@pytest.mark.parametrize("name", T2.split())
def test_t2_is_t2(name: str) -> None:
    assert judged(name) is FileRole.T2


@pytest.mark.parametrize("name", REFERENCE.split())
def test_masks_of_the_necrosis_are_references(name: str) -> None:
    assert judged(name) is FileRole.REFERENCE


@pytest.mark.parametrize("name", TUMOUR.split())
def test_masks_of_the_metastasis_are_tumour(name: str) -> None:
    assert judged(name) is FileRole.TUMOUR


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("T1_T2", "both T1 and T2"),
        ("T1_post", "after contrast or after the ablation"),
        ("T1ce_pre", "before contrast or before the ablation"),
        ("T1ce_native", "both with and without contrast"),
        ("T2_Gd", "T2 after contrast"),
        ("tumour_necrosis", "both necrosis and tumour"),
        ("tumour_T2", "both a sequence and a structure"),
    ],
)
def test_a_name_that_may_mean_two_things_is_unclear(name: str, reason: str) -> None:
    verdict = judge(tokens_of(name))
    assert verdict.role is FileRole.UNCLEAR
    assert reason in verdict.reason


@pytest.mark.parametrize("name", OTHER_IMAGES.split())
def test_other_sequences_are_not_taken(name: str) -> None:
    assert judged(name) is FileRole.OTHER_IMAGE


@pytest.mark.parametrize("name", OTHER_MASKS.split())
def test_masks_of_something_else_are_not_taken(name: str) -> None:
    assert judged(name) is FileRole.OTHER_MASK


@pytest.mark.parametrize("name", SILENT.split())
def test_names_that_do_not_say_are_none(name: str) -> None:
    assert judged(name) is None


def test_role_of_gives_only_what_is_certain() -> None:
    assert role_of("T1ce") is FileRole.CET1
    assert role_of("T1") is FileRole.NATIVE_T1
    assert role_of("T1_post") is None
    assert role_of("brain_mask") is None


def test_words_are_split_and_plus_c_is_one() -> None:
    assert words_of("T1+C_(sag).Case-7") == ["t1", "+c", "sag", "case", "7"]
    assert words_of("T1+Chest") == ["t1", "chest"]


def test_joined_words_are_cut_without_a_rest() -> None:
    assert [token.kind for token in tokens_of("postContrastT1w")] == [Kind.POST, Kind.CONTRAST, Kind.T1]
    assert [token.kind for token in tokens_of("contrastagentx")] == [Kind.UNKNOWN]


@pytest.mark.parametrize("name", ["masks", "T1ce", "raw_images"])
def test_folders_named_for_a_role_are_no_cases(name: str) -> None:
    assert is_role_name(name)


@pytest.mark.parametrize("name", ["case-01", "lesion01", "Smith", "2024", "L3", ""])
def test_folders_named_for_a_case_are_cases(name: str) -> None:
    assert not is_role_name(name)


@given(st.text(max_size=60))
def test_any_name_is_judged_without_an_error(name: str) -> None:
    verdict = judge(tokens_of(name))
    assert verdict.role is None or verdict.role in FileRole


@given(st.sampled_from(["T1", "T1w"]), st.sampled_from(["tse", "sag", "fs", "s05", "Siemens", "20240131"]))
def test_no_neutral_word_makes_contrast(sequence: str, word: str) -> None:
    assert judged(f"{sequence}_{word}") is FileRole.NATIVE_T1
    assert judged(f"{word}-{sequence}") is FileRole.NATIVE_T1
