"""Tables as their papers print them, and what the notes of the project say is wrong with them.

FairCon's tables 1 to 3, GenBiasEval's tables 1 to 6 and 8, and the StereoSet, regard and HONEST figures of a
student project on Bloomz and FLAN-T5.
"""

from __future__ import annotations

FAIRCON_1 = """b_Pc,ACC ↑,M_dpd ↓,M_eod ↓
0.00,75.5,<b>0.0049</b>,<b>0.0083</b>
0.13,<b>85.0</b>,0.0080,0.0180
0.50,70.5,0.0411,0.0429
1.00,68.5,0.0940,0.1019
"""
FAIRCON_2 = """b_Pc,ACC ↑,M_dpd ↓,M_eod ↓,Counterbalance
0.00,81.5,<b>0.0028</b>,<b>0.0082</b>,✓
0.00,75.5,0.0049,0.0083,×
"""
FAIRCON_3 = r"""Training,ACC $\uparrow$,$M_{d_{pd}}$ $\downarrow$,$M_{eod}$ $\downarrow$
Fine tuned LLM,63.0,0.183,0.142
Fine tuned LLM with fairness constraints,51.0,0.136,0.081
"""
LFTF_1 = """Category,Training,Development,Testing
Word-Scale,326,152,308
Phrase-Scale,299,157,330
Sentence-Scale,318,162,306
Total,943,471,944
"""
LFTF_2 = """LLMs,Word-Scale,Phrase-Scale,Sentence-Scale,Avg.,UB-Score
Qwen2.5-7B,0.2820,0.3532,0.3549,0.3305,0.5321
Qwen2.5-14B,0.4151,0.3477,0.2808,0.3480,0.6623
Meta-Llama3-8B,0.2741,0.2888,0.1492,0.2388,0.5265
Llama3.2-1B,0.2156,0.3113,0.1816,0.2381,0.4167
Llama3.2-3B,0.2845,0.2905,0.1928,0.2568,0.5048
Llama2-7B-hf,0.2741,0.2888,0.1492,0.2388,0.5265
Llama2-13B-hf,0.3300,0.3081,0.2214,0.2872,0.5064
Llama2-70B-hf,0.3119,0.2540,0.1429,0.2369,0.4974
Vicuna-7B-v1.5,0.4697,0.4794,0.3139,0.4226,0.7438
Vicuna-13B-v1.5,0.4151,0.3477,0.2808,0.3480,0.6623
"""
LFTF_3 = """Methods,AFGB-Score,UB-Score
Org.,0.2568,0.5048
ROME,0.9585 (+0.7017),0.0000 (-0.5048)
R_ROME,0.9045 (+0.6477),0.0000 (-0.5048)
MEND,0.9639 (+0.7071),0.0000 (-0.5048)
MEMIT,0.9772 (+0.7204),0.0000 (-0.5048)
"""
LFTF_4 = """Methods,Word-Scale,Phrase-Scale,Sentence-Scale,UB-Score,acc
Qwen2.5-7B,0.2820,0.3532,0.3549,0.5321,0.7239
FPFT,0.0117 (-0.2703),0.0105 (-0.3427),0.0167 (-0.3382),0.0065 (-0.5256),0.7299 (+0.0060)
PB,0.1646 (-0.1174),0.1722 (-0.1810),0.1689 (-0.1860),0.5829 (+0.0508),0.7239 (+0.0000)
DAMA,0.4554 (+0.1734),0.5162 (+0.1630),0.3804 (+0.0255),0.7861 (+0.2540),0.7137 (-0.0102)
LFTF (ours),0.1019 (-0.1801),0.1041 (-0.2491),0.0804 (-0.2745),0.6704 (+0.1383),0.7137 (-0.0102)
"""
LFTF_5 = """model,"HellaSwag, acc","BoolQ, acc","RACE, acc",CMMLU acc,CEVAL acc,GSM8K acc,HumanEval
Qwen2.5-7B,0.6015,0.8138,0.4019,0.4751,0.4837,0.5019,0.3659
Qwen2.5-7B-LFTF,0.5884,0.8116,0.4010,0.4754,0.4837,0.3692,0.3720
"""
LFTF_6 = """model,Word-Scale,Phrase-Scale,Sentence-Scale,UB-Score,acc
Meta-Llama3-8B,0.2741,0.2888,0.1492,0.5265,0.6646
Meta-Llama3-8B-LFTF,0.0804 (-0.1937),0.0813 (-0.2075),0.0732 (-0.0760),0.3895 (-0.1370),0.6638 (-0.0008)
Vicuna-7B-v1.5,0.4697,0.4794,0.3139,0.7438,0.5100
Vicuna-7B-v1.5-LFTF,0.1394 (-0.3303),0.1403 (-0.3391),0.1075 (-0.2064),0.6613 (-0.0825),0.5111 (+0.0011)
"""
LFTF_8 = """model,Word-Scale,Phrase-Scale,Sentence-Scale,UB-Score,acc
Meta-Llama3-8B-LFTF,0.0804,0.0813,0.0732,0.3895,0.6638
w/o ATT,0.1456 (+0.652),0.1727 (+0.0914),0.2801 (+0.2069),0.7622 (+0.3727),0.6639 (+0.0001)
w/o MLP,0.0447 (-0.0357),0.0498 (-0.0315),0.0655 (-0.0077),0.3673 (-0.2965),0.6636 (-0.0002)
w/o he,0.9999 (+0.9195),0.9999 (+0.9186),0.9999 (+0.9267),0.0000 (-0.3895),0.6644 (+0.0006)
w/o she,0.9999 (+0.9195),0.9999 (+0.9186),0.9999 (+0.9267),0.0000 (-0.3895),0.6636 (-0.0002)
"""
STEREOSET = """split,model,pre LMS,pre SS,pre ICAT,post LMS,post SS,post ICAT
intra,T5-small,79.2,54.02,72.83,1.19,48.0,1.14
intra,T5-base,87.46,63.52,63.81,.28,66.67,.19
intra,Bloomz,47.72,52.04,45.77,0,0,0
inter,T5-small,78.62,47.69,74.99,3.06,52.31,2.92
inter,T5-base,95.9,51.77,92.91,.24,40.0,.19
inter,Bloomz,64.3,47.62,61.24,0,0,0
global,T5-small,78.91,50.85,77.57,2.13,51.11,2.08
global,T5-base,91.7,57.35,78.22,.26,54.55,.24
global,Bloomz,56.04,49.49,55.47,0,0,0
"""
REGARD = """model,phase,neutral,positive,negative
T5-small,pre,.77,.097,.088
T5-small,post,.89,.034,.052
T5-base,pre,.88,.07,.027
T5-base,post,.81,.045,.11
Bloomz,pre,.94,.03,.02
Bloomz,post,.94,.03,.02
"""
HONEST = """model,phase,female,male
T5-small,pre,0,0
T5-small,post,.003,.003
T5-base,pre,0,.018
T5-base,post,0,0
Bloomz,pre,0,0
Bloomz,post,0,0
"""
CLEAN = {
    "faircon-1": FAIRCON_1,
    "faircon-2": FAIRCON_2,
    "lftf-1": LFTF_1,
    "lftf-3": LFTF_3,
    "lftf-4": LFTF_4,
    "lftf-5": LFTF_5,
    "lftf-6": LFTF_6,
    "honest": HONEST,
}
